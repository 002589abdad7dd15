"""Writes to a conversation at OpenAI: creation on the first write, and writes with a key."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from turnlog.changes import Key
from turnlog.errors import AppendUncertain, IncompleteAppend
from turnlog.items.digest import digest
from turnlog.items.json import Item, decode, encode_all
from turnlog.sessions.conversations.appending import Appending, Remaining, first_request
from turnlog.sessions.conversations.beside import Begun, Beside, KeyedWrite
from turnlog.sessions.conversations.forms import is_storable, sendable
from turnlog.sessions.conversations.metadata import note_of
from turnlog.sessions.conversations.remote import Remote, Seen
from turnlog.sessions.conversations.retrying import Waits

__all__ = ["Write", "Writing"]

#: How many keys a session without a store remembers.
_KEYS = 1000


class Write(NamedTuple):
    """Items to store, and what is known of their write.

    items: as they are sent.
    before: what was known of the end of the conversation when the first request of them was
        sent; None if it was not.
    key: its name and the digest of the items, if it has one.
    """

    items: list[Item]
    before: Seen | None = None
    key: Key | None = None

    @classmethod
    def of(cls, given: Iterable[object], key: str | None, conversation: str | None) -> Write:
        """The write of `given` to a conversation. Raises `InvalidItem`, and `ValueError` for the
        rest of a write together with a key, which stands for all items of a write.
        """
        before = None
        if isinstance(given, Remaining):
            _check_keyless(key)
            before = given.before if given.conversation == conversation else None
        payloads = encode_all(given)
        sent = [sendable(item) for item in map(decode, payloads) if is_storable(item)]
        return cls(sent, before, None if key is None else Key(key, digest(payloads)))


def _check_keyless(key: str | None) -> None:
    if key is not None:
        raise ValueError(
            "`remaining` goes on without a key: leave the key out, or pass all items of the write "
            "again, with the key that it had"
        )


class _Known(NamedTuple):
    """A key that was used: the digest of its items, and those that are left to store."""

    digest: bytes
    left: Remaining | None


class _First(NamedTuple):
    """The write with a key that created the conversation, with so many items."""

    key: Key
    stored: int


class Writing:
    """The writes of one session.

    beside: what lives in a store; None without one.
    waits: between the tries of a request.
    """

    def __init__(self, remote: Remote, beside: Beside | None, waits: Callable[[], Waits]) -> None:
        self._remote = remote
        self._beside = beside
        self._waits = waits
        self._current: Appending | None = None
        self._keys: OrderedDict[str, _Known] = OrderedDict()
        self._first: _First | None = None
        #: The metadata that the conversation will be created with.
        self.pairs: dict[str, str] = {}

    def stop(self) -> None:
        """Begin no further request of the write under way."""
        if self._current is not None:
            self._current.stop()

    def forget(self, pairs: dict[str, str] | None = None) -> None:
        """The session stands on another conversation, or on none.

        pairs: the metadata that the next one will be created with.
        """
        self._keys.clear()
        self._first = None
        self.pairs = pairs or {}

    async def store(self, write: Write) -> None:
        """Store the items, of which there is at least one."""
        appending = self._current = Appending(self._remote, self._waits, self._check_turn)
        if write.key is None:
            await self._append(appending, write.items, write.before)
        elif self._beside is None:
            await self._remembered(appending, write, write.key)
        else:
            await self._kept(appending, write, write.key, self._beside)

    async def _append(self, appending: Appending, items: list[Item], before: Seen | None) -> None:
        try:
            if self._remote.id is None:
                await appending.created_with(items, self.pairs)
            else:
                await appending.added(items, before)
        finally:
            await self._enter()

    async def _enter(self) -> None:
        """Make the entry in the directory of the store."""
        if self._beside is not None and self._remote.id is not None:
            await self._beside.enter(self._remote.id, note_of(self.pairs))

    async def _remembered(self, appending: Appending, write: Write, key: Key) -> None:
        """A write with a key that this session remembers."""
        known = self._keys.get(key.name)
        items, before = write.items, write.before
        if known is not None:
            key.check_digest(known.digest)
            if known.left is None:
                return
            items, before = known.left, known.left.before
        try:
            await self._append(appending, items, before)
        except (IncompleteAppend, AppendUncertain) as error:
            left = error.remaining
            self._remember(key, left if isinstance(left, Remaining) else Remaining(left))
            raise
        self._remember(key, None)

    def _remember(self, key: Key, left: Remaining | None) -> None:
        self._keys[key.name] = _Known(key.digest, left)
        while len(self._keys) > _KEYS:
            self._keys.popitem(last=False)

    async def _kept(self, appending: Appending, write: Write, key: Key, beside: Beside) -> None:
        """A write with a key that the store remembers, for all processes."""
        if self._remote.id is None:
            first = first_request(write.items)
            await self._append(appending, first, None)
            self._first = _First(key, len(first))
        async with beside.keyed(self._remote.id or "", key.name, key.digest) as kept:
            begun = await self._begun(kept, key)
            if begun.stored is not None:
                await self._continued(appending, write.items[begun.stored :], begun, kept)
        await self._enter()

    async def _begun(self, kept: KeyedWrite, key: Key) -> Begun:
        """How far the write has come. The store may not know that it created the conversation."""
        begun, first = await kept.begun(), self._first
        if begun != Begun(0, None) or first is None or first.key.name != key.name:
            return begun
        key.check_digest(first.key.digest)
        await kept.note(first.stored, None)
        return Begun(first.stored, None)

    async def _continued(
        self, appending: Appending, items: list[Item], begun: Begun, kept: KeyedWrite
    ) -> None:
        counted = appending.count  # of the items in `begun.stored`, those that it counts itself

        async def note(stored: int, seen: Seen) -> None:
            await kept.note((begun.stored or 0) + stored - counted, seen)

        appending.note = note
        await appending.added(items, begun.before)
        await kept.done()

    async def _check_turn(self) -> None:
        if self._beside is not None and self._remote.id is not None:
            await self._beside.check_turn(self._remote.id)
