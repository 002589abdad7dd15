"""One conversation at OpenAI: each call of the Conversations API, made once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any, NamedTuple, cast

from turnlog.items.json import Item
from turnlog.sessions.conversations.client import (
    AsyncOpenAI,
    BadRequestError,
    Clients,
    NotFoundError,
)

__all__ = ["MOST_AT_ONCE", "Remote", "Seen"]

#: The most items that one request may add.
MOST_AT_ONCE = 20

#: The most items that one page of a list may have.
_PAGE = 100

#: How often a long read is begun while others delete the items behind which it goes on.
_READS = 5

#: For how many seconds the end of the conversation counts as known. Another writer may have
#: stored the same words since, which would be taken for ours after a lost answer.
_FRESH_SECONDS = 30.0

#: The fields that the API leaves out of its answers unless it is asked for them. Not the results
#: of web searches, which it doesn't take back.
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
    #: Whether there were no others.
    is_all: bool = False

    @classmethod
    def now(cls, ids: Sequence[str], *, is_all: bool) -> Seen:
        """The newest of `ids`, seen now. is_all: whether these are all items."""
        return cls(tuple(ids[-_PAGE:]), monotonic(), is_all and len(ids) <= _PAGE)

    @property
    def is_fresh(self) -> bool:
        """Whether it was a short while ago."""
        return monotonic() - self.at < _FRESH_SECONDS

    def then(self, ids: Sequence[str]) -> Seen:
        """The same, with `ids` added behind, seen now.

        Ids that it knows already stay known, also of items that were removed: they are not new.
        """
        return Seen.now([*self._others(ids), *ids], is_all=self.is_all)

    def knowing(self, ids: Sequence[str]) -> Seen:
        """The same, as old as it is, with `ids` known as well."""
        return self.then(ids)._replace(at=self.at)

    def _others(self, ids: Sequence[str]) -> list[str]:
        added = set(ids)
        return [known for known in self.ids if known not in added]


class Since(NamedTuple):
    """The items behind those that were seen."""

    #: Oldest first.
    items: list[Item]
    #: Whether all of them are new for certain. If everything that was seen is gone, they may be
    #: older than that.
    are_new: bool


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
        """Add at most 20 items; returns them as they are stored.

        Raises `ValueError` for an answer with more or fewer items.
        """
        answer = await self._once.conversations.items.create(self._known, items=cast("Any", items))
        stored = [_plain(item) for item in answer.data]
        if len(stored) != len(items):
            raise ValueError(f"the API answered with {len(stored)} of {len(items)} items added")
        if self.seen is not None:
            self.seen = self.seen.then(_ids(stored))
        return stored

    async def all(self, *, everything: bool = False) -> list[Item]:
        """All items, oldest first. everything: with the probabilities of their words as well."""
        include = _EVERYTHING if everything else _INCLUDE
        items = await self._read(lambda: _all(self._listed("asc", _PAGE, include)))
        self._saw(items, is_all=True)
        return items

    async def newest(self, count: int) -> list[Item]:
        """The newest `count` items, oldest first."""
        if count <= 0:
            return []
        page = min(count, _PAGE)
        found = await self._read(lambda: _first(count, self._listed("desc", page)))
        found.reverse()
        is_all = len(found) < count
        if is_all or count >= MOST_AT_ONCE:
            self._saw(found, is_all=is_all)
        elif self.seen is not None:
            # So few items don't say what else is new, so it is as old as before.
            self.seen = self.seen.knowing(_ids(found))
        return found

    async def since(self, seen: Seen) -> Since:
        """The items behind those that were `seen`; these are known from now on."""
        known = set(seen.ids)
        found = await self._read(lambda: _until(known, self._listed("desc", 2 * MOST_AT_ONCE)))
        found.reverse()
        meets = bool(found) and found[0]["id"] in known
        items = found[1:] if meets else found
        self.seen = seen.then(_ids(items))
        return Since(items, meets or seen.is_all)

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

    def forget(self) -> None:
        """Stand on no conversation."""
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

    def _saw(self, items: list[Item], *, is_all: bool) -> None:
        ids = _ids(items)
        before = () if self.seen is None else self.seen.ids
        self.seen = Seen(before, 0.0, is_all).then(ids)

    async def _read(self, read: Callable[[], Awaitable[list[Item]]]) -> list[Item]:
        """What `read` gives, begun again if the item behind which it goes on was deleted."""
        for _ in range(_READS - 1):
            with suppress(_CursorGone):
                return await read()
        try:
            return await read()
        except _CursorGone as gone:
            raise gone.error from None

    async def _listed(
        self, order: str, page: int, include: Sequence[str] = _INCLUDE
    ) -> AsyncIterator[Item]:
        """Items one by one. Raises `_CursorGone`."""
        found = await self._clients.here().conversations.items.list(
            self._known, order=cast("Any", order), limit=page, include=cast("Any", list(include))
        )
        while True:
            for item in found.data:
                yield _plain(item)
            if not found.has_next_page():
                return
            try:
                found = await found.get_next_page()
            except (BadRequestError, NotFoundError) as error:
                raise _CursorGone(error) from error


class _CursorGone(Exception):
    """The item behind which a list was to go on is not in the conversation any more."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


async def _all(items: AsyncIterator[Item]) -> list[Item]:
    return [item async for item in items]


async def _first(count: int, items: AsyncIterator[Item]) -> list[Item]:
    """The first `count` of `items`."""
    found: list[Item] = []
    async for item in items:
        found.append(item)
        if len(found) == count:
            break
    return found


async def _until(known: set[str], items: AsyncIterator[Item]) -> list[Item]:
    """Those of `items` up to the first one whose id is `known`."""
    found: list[Item] = []
    async for item in items:
        found.append(item)
        if item["id"] in known:
            break
    return found


def _ids(items: list[Item]) -> list[str]:
    return [str(item["id"]) for item in items]


def _plain(item: Any) -> Item:
    # Without warnings: a kind of item that the client doesn't know is not of the type it names.
    # By alias: "async" can't be the name of an attribute, so the client calls it "async_".
    dumped: Item = item.model_dump(by_alias=True, exclude_unset=True, warnings=False)
    return dumped
