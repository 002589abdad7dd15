"""Resealing: the records and notes of one conversation, sealed anew with its newest data key.

Once that key is the newest in ":keys", no commit can seal with another one: each checks the end of
":keys". So the records under older keys only become fewer, and one scan finds them all. A record
keeps its position, its time, and the place that it is sealed for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from turnlog.changes import Annotate, Change, Check, Replace
from turnlog.errors import Conflict, RecordChanged
from turnlog.layers.encryption.header import is_in_plain, is_sealed
from turnlog.layers.encryption.key_records import KEYS
from turnlog.layers.encryption.opening import Opener, key_id_of
from turnlog.layers.encryption.replaced import places_of
from turnlog.layers.encryption.ring import Ring
from turnlog.layers.encryption.sealing import DataKey, note_context, record_context
from turnlog.records import Log, Records, Unopened
from turnlog.store import Head, Store

__all__ = ["BATCH", "Resealing"]

#: How many records are read, and replaced, at a time.
BATCH = 500


class _Old(NamedTuple):
    """A record under an older key, or under none."""

    position: int
    stored: bytes
    payload: bytes
    #: The place that it is sealed for.
    place: tuple[int, int]


class Resealing:
    """One scan over the conversation of `ring`.

    key: the newest of the ring.

    `run` raises `Conflict` of ":keys" if the keys have changed meanwhile.
    """

    def __init__(self, store: Store, opener: Opener, ring: Ring, key: DataKey) -> None:
        self._store = store
        self._opener = opener
        self._session = ring.log.session
        self._fence = Check(KEYS, ring.end)
        self._key = key
        #: How many records and notes were sealed anew.
        self.records = 0
        #: How many could not be opened, and stay as they are.
        self.unreadable = 0
        #: The ids of the older keys in their headers, which are still needed.
        self.needed: set[int] = set()

    async def run(self) -> None:
        """Seal anew all that is not sealed with the newest key."""
        for head in await self._store.logs(self._session):
            if head.log.name != KEYS:
                await self._log(head)

    async def _log(self, head: Head) -> None:
        if not is_in_plain(head.log.name):
            async for batch in _batches(self._store, head.log):
                await self._records(head.log, batch)
        await self._note(head.log, head.note)

    async def _records(self, log: Log, batch: Records) -> None:
        after, before = batch.positions[0] - 1, batch.positions[-1] + 1
        seen: Records | None = None
        while old := self._older(batch):
            opened = await self._opener.records(log, batch)
            places = await places_of(self._store, self._opener, log, batch, opened.payloads)
            columns = zip(batch.positions, batch.payloads, opened.payloads, places, strict=True)
            found = [_Old(*each) for at, each in enumerate(columns) if at in old]
            good = [each for each in found if not isinstance(each.payload, Unopened)]
            if not good and batch == seen:
                self._leave([each.stored for each in found])
                return
            if good:
                await self._replace(log, good)
            # Read again: they may be what another process replaces or removes at this moment.
            seen, batch = batch, await self._store.read(log, after=after, before=before)

    async def _replace(self, log: Log, old: Sequence[_Old]) -> None:
        with suppress(RecordChanged):
            await self._commit(self._replaced(log, old))
            self.records += len(old)

    def _older(self, batch: Records) -> set[int]:
        """The indexes of records that are not sealed with the newest key."""
        return {at for at, stored in enumerate(batch.payloads) if not self._is_new(stored)}

    def _is_new(self, stored: bytes) -> bool:
        return is_sealed(stored) and key_id_of(stored) == self._key.id

    def _replaced(self, log: Log, old: Sequence[_Old]) -> Change:
        context = record_context(log)
        sealed = [self._key.seal(context, [each.payload], *each.place)[0] for each in old]
        positions = [each.position for each in old]
        return Replace(log.name, positions, sealed, [each.stored for each in old])

    async def _note(self, log: Log, note: bytes) -> None:
        while note and not self._is_new(note):
            opened = await self._opener.note(log, note)
            if isinstance(opened, Unopened):
                before, note = note, await self._note_of(log)
                if note == before:
                    self._leave([note])
                    return
                continue
            [sealed] = self._key.seal(note_context(log), [opened])
            try:
                await self._commit(Annotate(log.name, sealed, expect=note))
            except Conflict as conflict:
                if not isinstance(conflict.actual, bytes):
                    raise
                note = conflict.actual  # another writer changed it
            else:
                self.records += 1
                return

    async def _note_of(self, log: Log) -> bytes:
        heads = await self._store.logs(self._session)
        return next((head.note for head in heads if head.log == log), b"")

    def _leave(self, stored: Sequence[bytes]) -> None:
        """Note that these could not be opened."""
        self.unreadable += len(stored)
        self.needed.update(key_id_of(each) for each in stored if is_sealed(each))

    async def _commit(self, change: Change) -> None:
        await self._store.commit(self._session, [change, self._fence])


async def _batches(store: Store, log: Log) -> AsyncIterator[Records]:
    after = 0
    while batch := await store.read(log, after=after, limit=BATCH, oldest=True):
        yield batch
        after = batch.positions[-1]
