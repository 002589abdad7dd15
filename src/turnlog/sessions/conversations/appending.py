"""Appends to a conversation at OpenAI: requests of 20 items that are never repeated blindly.

The API has no idempotency keys. When a request fails, it may have been carried out all the
same. So the end of the conversation is read first, and compared with what was known of it
before the request; only what is not found there is sent again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

from turnlog.errors import AppendUncertain, IncompleteAppend
from turnlog.items.json import Item, encode
from turnlog.sessions.conversations.client import is_refusal, is_transient
from turnlog.sessions.conversations.forms import are_same
from turnlog.sessions.conversations.remote import MOST_AT_ONCE, Remote, Seen
from turnlog.sessions.conversations.retrying import Waits

__all__ = ["Appending", "Remaining", "first_request"]

#: The most bytes of items in one request, unless one item alone has more.
_MOST_BYTES = 16_000_000


def first_request(items: Sequence[Item]) -> list[Item]:
    """The first of `items`, as many as one request takes; always the same for the same items."""
    size = 0
    for count, item in enumerate(items[:MOST_AT_ONCE]):
        size += len(encode(item))
        if count and size > _MOST_BYTES:
            return list(items[:count])
    return list(items[:MOST_AT_ONCE])


class Remaining(list[Item]):
    """Items that are not stored, or of which that is not known for the first request of them.

    conversation: the id of the one to which they were sent; None if it was not created.
    before: what was known of its end before they were sent; None if they never were.
    """

    def __init__(
        self,
        items: Iterable[Item] = (),
        conversation: str | None = None,
        before: Seen | None = None,
    ) -> None:
        super().__init__(items)
        self.conversation = conversation
        self.before = before

    def __reduce__(self) -> tuple[type[Remaining], tuple[list[Item], str | None, Seen | None]]:
        return Remaining, (list(self), self.conversation, self.before)


class Appending:
    """One append of any number of items.

    waits: between the tries of its requests.
    allow: awaited before each request; it raises if the writer may not write any more.
    """

    def __init__(
        self,
        remote: Remote,
        waits: Callable[[], Waits],
        allow: Callable[[], Awaitable[None]],
    ) -> None:
        #: Awaited before each request with how many items are stored, and with what is known of
        #: the end of the conversation, so that another process could go on from there.
        self.note: Callable[[int, Seen], Awaitable[None]] | None = None
        self._remote = remote
        self._waits = waits
        self._allow = allow
        self._stored: list[Item] = []
        self._is_stopped = False
        self._current: Waits | None = None

    @property
    def count(self) -> int:
        """How many items it has stored."""
        return len(self._stored)

    def stop(self) -> None:
        """Begin no further request; the one under way ends first."""
        self._is_stopped = True
        if self._current is not None:
            self._current.stop.set()

    async def created_with(self, items: list[Item], metadata: dict[str, str]) -> None:
        """Create the conversation with `items`, of which there is at least one.

        A retry after a lost answer makes another conversation: the first one is never found.
        """
        first = first_request(items)
        self._stored += await self._created(first, metadata)
        await self.added(items[len(first) :])

    async def added(self, items: list[Item], before: Seen | None = None) -> None:
        """Add `items` to the conversation, which exists.

        before: what was known of its end before the first request of them was sent; None if it
            was not. Those that are found behind it are not sent again.
        """
        remaining = list(items)
        while remaining:
            if self._is_stopped:
                raise self._incomplete(remaining, before)
            done = await self._put(first_request(remaining), remaining, before)
            self._stored += done
            remaining, before = remaining[len(done) :], None

    async def _created(self, first: list[Item], metadata: dict[str, str]) -> list[Item]:
        waits = self._begun()
        while True:
            try:
                return await self._remote.create(first, metadata)
            except Exception as error:
                if not is_transient(error) or not await waits.again(error):
                    raise

    async def _put(
        self, chunk: list[Item], remaining: list[Item], before: Seen | None
    ) -> list[Item]:
        """Store `chunk`, or the first part of it; returns what is stored of it."""
        waits = self._begun()
        while True:
            try:
                if before is not None:
                    found = await self._found(chunk, remaining, before)
                    if found:
                        return found
                    before = None
                seen = await self._ready()
            except AppendUncertain:
                raise
            except Exception as error:  # noqa: BLE001 - raised below
                failed = error
            else:
                try:
                    return await self._remote.add(chunk)
                except Exception as error:  # noqa: BLE001 - raised below
                    failed = error
                    before = None if is_refusal(error) else seen
            if not is_transient(failed) or not await waits.again(failed):
                return await self._found_at_last(failed, chunk, remaining, before)

    async def _ready(self) -> Seen:
        """What is known of the end, when all is ready for a request."""
        seen = await self._remote.look()
        await self._allow()
        if self.note is not None:
            await self.note(len(self._stored), seen)
        return seen

    async def _found(self, chunk: list[Item], remaining: list[Item], before: Seen) -> list[Item]:
        """What is stored of `chunk`, if its request was carried out; nothing if it wasn't.

        Raises `AppendUncertain` if what is found may be older than the request.
        """
        since = await self._remote.since(before)
        found = _found_in(since.items, chunk)
        if found and not since.are_new:
            left = Remaining(remaining, self._remote.id, before)
            raise AppendUncertain(self._stored, left, len(found))
        return found

    async def _found_at_last(
        self, error: Exception, chunk: list[Item], remaining: list[Item], before: Seen | None
    ) -> list[Item]:
        """What is stored of the chunk after its last try; raises the error if that is nothing."""
        if before is not None:
            with suppress(_LookFailed):
                found = await self._found_now(chunk, remaining, before)
                if found:
                    return found
                before = None
        raise self._error(error, remaining, before)

    async def _found_now(
        self, chunk: list[Item], remaining: list[Item], before: Seen
    ) -> list[Item]:
        """`_found`, tried once. Raises `_LookFailed`."""
        try:
            return await self._found(chunk, remaining, before)
        except AppendUncertain:
            raise
        except Exception as error:
            raise _LookFailed from error

    def _error(self, error: Exception, remaining: list[Item], before: Seen | None) -> Exception:
        """`error` itself if it is certain that nothing is stored."""
        if before is None and not self._stored:
            return error
        incomplete = self._incomplete(remaining, before)
        incomplete.__cause__ = error
        return incomplete

    def _incomplete(self, remaining: list[Item], before: Seen | None) -> IncompleteAppend:
        left = Remaining(remaining, self._remote.id, before)
        return IncompleteAppend(self._stored, left)

    def _begun(self) -> Waits:
        self._current = self._waits()
        if self._is_stopped:
            self._current.stop.set()
        return self._current


class _LookFailed(Exception):
    """The end of the conversation could not be read."""


def _found_in(new: list[Item], chunk: list[Item]) -> list[Item]:
    """Those of the `new` items that are what the API has made of `chunk`."""
    for start in range(len(new) - len(chunk) + 1):
        if are_same(new[start : start + len(chunk)], chunk):
            return new[start : start + len(chunk)]
    # A part of it counts only if nothing else is new.
    return new if new and are_same(new, chunk[: len(new)]) else []
