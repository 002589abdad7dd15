"""One conversation at OpenAI: each call of the Conversations API, made once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, NamedTuple, cast

from turnlog.items.json import Item
from turnlog.sessions.conversations.client import AsyncOpenAI, Clients, NotFoundError

__all__ = ["MOST_AT_ONCE", "Remote", "Seen"]

#: The most items that one request may add.
MOST_AT_ONCE = 20

#: The most items that one page of a list may have.
_PAGE = 100

#: For how many seconds the end of the conversation counts as known. Another writer may have
#: stored the same words since, which would be taken for ours after a lost answer.
_FRESH_SECONDS = 30.0

#: The fields that the API leaves out of its answers unless it is asked for them.
_INCLUDE = (
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
)
_EVERYTHING = (*_INCLUDE, "message.output_text.logprobs")


class Seen(NamedTuple):
    """The newest items of a conversation, as they were at some moment."""

    #: Their ids; none if the conversation was empty.
    ids: tuple[str, ...]
    #: When that was, by the monotonic clock of this process.
    at: float

    @classmethod
    def now(cls, ids: Sequence[str]) -> Seen:
        """The newest of `ids`, seen now."""
        return cls(tuple(ids[-_PAGE:]), monotonic())

    @property
    def is_fresh(self) -> bool:
        """Whether it was a short while ago."""
        return monotonic() - self.at < _FRESH_SECONDS

    def then(self, ids: Sequence[str]) -> Seen:
        """The same, with `ids` added behind."""
        return Seen.now([*self.ids, *ids])

    def without(self, item_id: str) -> Seen | None:
        """The same, without an item that was removed; None if no other is known."""
        kept = tuple(known for known in self.ids if known != item_id)
        return Seen(kept, self.at) if kept else None


class Remote:
    """The conversation `id` at OpenAI; None before it is created.

    Requests that add or delete are made once and never by the client's own retries, which
    would not look first. Errors are those of the client.
    """

    def __init__(self, conversation_id: str | None, clients: Clients) -> None:
        self.id = conversation_id
        self._clients = clients
        #: What is known of the end of the conversation.
        self.seen: Seen | None = None

    async def create(self, items: list[Item], metadata: dict[str, str]) -> list[Item]:
        """Create the conversation with its first items; returns these as they were given."""
        more: dict[str, Any] = {"metadata": metadata} if metadata else {}
        made = await self._once.conversations.create(items=cast("Any", items), **more)
        self.id = made.id
        self.seen = None
        return items

    async def add(self, items: list[Item]) -> list[Item]:
        """Add at most 20 items; returns them as they are stored."""
        answer = await self._once.conversations.items.create(self._known, items=cast("Any", items))
        stored = [_plain(item) for item in answer.data]
        if self.seen is not None:
            self.seen = self.seen.then([str(item["id"]) for item in stored])
        return stored

    async def all(self, *, everything: bool = False) -> list[Item]:
        """All items, oldest first. everything: with the probabilities of their words as well."""
        include = _EVERYTHING if everything else _INCLUDE
        items = [item async for item in self._listed("asc", _PAGE, include)]
        self._saw(items)
        return items

    async def newest(self, count: int) -> list[Item]:
        """The newest `count` items, oldest first."""
        found: list[Item] = []
        if count > 0:
            async for item in self._listed("desc", min(count, _PAGE)):
                found.append(item)
                if len(found) == count:
                    break
        found.reverse()
        if count > 0:
            self._saw(found)
        return found

    async def since(self, seen: Seen) -> list[Item]:
        """The items behind those that were `seen`, oldest first."""
        found: list[Item] = []
        known = set(seen.ids)
        async for item in self._listed("desc", 2 * MOST_AT_ONCE):
            if item["id"] in known:
                break
            found.append(item)
        found.reverse()
        return found

    async def look(self) -> Seen:
        """What is known of the end; it is read unless that was a short while ago."""
        if self.seen is None or not self.seen.is_fresh:
            await self.newest(MOST_AT_ONCE)
        assert self.seen is not None  # noqa: S101 - `newest` has set it
        return self.seen

    async def delete_item(self, item_id: str) -> None:
        """Delete one item; `NotFoundError` if it is gone."""
        await self._once.conversations.items.delete(item_id, conversation_id=self._known)

    async def delete_item_surely(self, item_id: str) -> None:
        """The same, with the retries of the client: it need not be known who has deleted it."""
        items = self._clients.here().conversations.items
        await items.delete(item_id, conversation_id=self._known)

    async def has(self, item_id: str) -> bool:
        """Whether the item is there."""
        client = self._clients.here()
        try:
            await client.conversations.items.retrieve(item_id, conversation_id=self._known)
        except NotFoundError:
            return False
        return True

    async def delete(self) -> None:
        """Delete the conversation, but not its items. One that is gone is fine."""
        with suppress(NotFoundError):
            await self._clients.here().conversations.delete(self._known)
        self.id = self.seen = None

    async def metadata(self) -> dict[str, str]:
        """The pairs of the conversation."""
        found = await self._clients.here().conversations.retrieve(self._known)
        pairs = found.metadata
        return dict(pairs) if isinstance(pairs, dict) else {}

    async def set_metadata(self, pairs: dict[str, str]) -> None:
        """Replace the pairs of the conversation."""
        await self._clients.here().conversations.update(self._known, metadata=pairs)

    @property
    def _known(self) -> str:
        if self.id is None:
            raise ValueError("the conversation is not created yet")
        return self.id

    @property
    def _once(self) -> AsyncOpenAI:
        return self._clients.here().with_options(max_retries=0)

    def _saw(self, items: list[Item]) -> None:
        self.seen = Seen.now([str(item["id"]) for item in items])

    async def _listed(
        self, order: str, page: int, include: Sequence[str] = _INCLUDE
    ) -> AsyncIterator[Item]:
        items = self._clients.here().conversations.items
        async for item in items.list(
            self._known, order=cast("Any", order), limit=page, include=cast("Any", list(include))
        ):
            yield _plain(item)


def _plain(item: Any) -> Item:
    # Without warnings: a kind of item that the client doesn't know is not of the type it names.
    dumped: Item = item.model_dump(exclude_unset=True, warnings=False)
    return dumped
