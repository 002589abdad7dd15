"""Records in a store beside a conversation at OpenAI: its entry in the directory, the progress of
writes with a key, the lease and the usage of its runs.

The items are not among it: in the store, the log "main" of the conversation stays empty.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from turnlog.changes import Append, Check, Forget, Key
from turnlog.conversation.about import About
from turnlog.conversation.session import StoredSession
from turnlog.conversation.turns.current import open_turn_on
from turnlog.conversation.turns.duration import lease_seconds
from turnlog.conversation.turns.lease import Lease
from turnlog.errors import Conflict
from turnlog.items.json import decode, encode
from turnlog.loops.finishing import finished
from turnlog.records import Log
from turnlog.sessions.conversations.remote import Seen
from turnlog.store import Store

__all__ = ["Begun", "Beside", "KeyedWrite"]

_logger = logging.getLogger(__name__)


class Begun(NamedTuple):
    """Progress of an earlier try of a write."""

    #: How many items are stored for certain; None if all are.
    stored: int | None
    #: What was known of the end of the conversation before the next request; None if there was
    #: no request.
    before: Seen | None


class Beside:
    """Records in a store about conversations at OpenAI."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._entered: str | None = None

    async def enter(self, conversation: str, note: bytes) -> None:
        """Make the entry of the conversation in the directory, once.

        note: what is known about it, for a new entry.

        An error of the store is logged, because the items are stored; the next write tries again.
        """
        if self._entered == conversation:
            return
        try:
            await self.store.annotate(Log(conversation), note, expect=b"")
        except Conflict:
            pass  # it has one
        except Exception as error:  # noqa: BLE001 - see above
            _logger.warning(
                "conversation %r has no entry in the store yet: %s",
                conversation,
                type(error).__name__,
            )
            return
        self._entered = conversation

    async def describe(self, conversation: str, about: About) -> None:
        """Make the entry, or change what it says."""
        await StoredSession(conversation, self.store).describe(**vars(about))
        self._entered = conversation

    async def check_turn(self, conversation: str) -> None:
        """Raise `LeaseLost` if the running task belongs to a turn that has lost its lease."""
        turn = open_turn_on(self.store, Log(conversation))
        if turn is not None and turn.lease.is_open:
            await turn.commit([])

    @asynccontextmanager
    async def keyed(self, conversation: str, name: str, digest: bytes) -> AsyncIterator[KeyedWrite]:
        """Within, this is the only process that writes to the conversation with a key.

        Another one takes over when this one stands still for longer than a lease lasts; then its
        next call raises `LeaseLost`.
        """
        seconds = lease_seconds(None, self.store)
        lease = Lease(self.store, Log(conversation).beside("writes"), seconds=seconds)
        await lease.queue()
        try:
            key = Key.of(Log(conversation), name, digest)
            yield KeyedWrite(self.store, conversation, key, lease)
        finally:
            await finished(lease.give_back())

    async def forget(self, conversation: str) -> None:
        """Delete all that is known of the conversation."""
        await self.store.delete(conversation)
        self._entered = None


class KeyedWrite:
    """The progress of one write with a key.

    lease: held by this process while it makes the write.
    """

    def __init__(self, store: Store, conversation: str, key: Key, lease: Lease) -> None:
        self._store = store
        self._key = key
        self._lease = lease
        self._log = Log(conversation, f":writing@{key.hash.hex()}")

    async def begun(self) -> Begun:
        """How far earlier tries have come. Raises `ValueError` if they had other items."""
        if await self._is_done():
            return Begun(None, None)
        records = await self._store.read(self._log, limit=1)
        if not records:
            return Begun(0, None)
        progress = decode(records.payloads[-1])
        self._key.check_digest(bytes.fromhex(progress["digest"]))
        after = progress["after"]
        before = None if after is None else Seen(tuple(after), 0.0, progress["is_all"])
        return Begun(progress["stored"], before)

    async def note(self, stored: int, seen: Seen | None) -> None:
        """So many items are stored; the next request is about to be sent, behind `seen`.

        seen: None if that is not decided yet.
        """
        progress = {
            "digest": self._key.digest.hex(),
            "stored": stored,
            "after": None if seen is None else list(seen.ids),
            "is_all": seen is not None and seen.is_all,
        }
        await self._lease.renew(Append(self._log.name, [encode(progress)], cut=0))

    async def done(self) -> None:
        """All items are stored."""
        await self._lease.renew(Forget(self._log.name), key=self._key)

    async def _is_done(self) -> bool:
        try:
            asked = [Check(self._log.name, -1)]
            return (await self._store.commit(self._log.session, asked, key=self._key)).replayed
        except Conflict:
            return False
