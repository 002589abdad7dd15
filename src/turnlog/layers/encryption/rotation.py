"""Rotation: data keys wrapped or made anew, counted and destroyed, while others read and write.

Everything is one small commit at a time, on condition of what was read, so that it can be stopped
or killed at any point and done again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress

from turnlog.changes import Append
from turnlog.errors import Conflict, Unreadable
from turnlog.layers.encryption.data_keys import NOT_HERE, DataKeys
from turnlog.layers.encryption.key_records import KEYS, Destroyed, KeyRecord, key_record_of
from turnlog.layers.encryption.keyless import forbidden
from turnlog.layers.encryption.opening import Opener
from turnlog.layers.encryption.provider import KeyProvider, NamesKeys
from turnlog.layers.encryption.resealing import Resealing
from turnlog.layers.encryption.ring import Ring
from turnlog.layers.encryption.rotated import KeyCounts, Progress, Rotated
from turnlog.layers.encryption.walking import walk
from turnlog.records import Log, Records
from turnlog.store import Store

__all__ = ["Rotation"]

_logger = logging.getLogger(__name__)


class Rotation:
    """The keys of all conversations of `store`.

    keys: their data keys. provider: wraps them.
    elsewhere: the store of the wrapped keys; None: they lie in `store`.
    adopts: whether plain or foreign records are read, and so are to be sealed.
    """

    def __init__(
        self,
        store: Store,
        keys: DataKeys,
        opener: Opener,
        provider: KeyProvider,
        elsewhere: Store | None,
        *,
        adopts: bool,
    ) -> None:
        self._store = store
        self._keys = keys
        self._opener = opener
        self._provider = provider
        self._elsewhere = elsewhere
        self._adopts = adopts

    async def rewrap(self, session: str | None, prefix: str, progress: Progress) -> Rotated:
        """Wrap the data keys of one or all conversations with the provider's newest key."""
        return await self._each(self._rewrapped, session, prefix, progress)

    async def reseal(
        self, session: str | None, prefix: str, before: float | None, progress: Progress
    ) -> Rotated:
        """Seal one or all conversations anew that have no data key since the time `before`."""
        cutoff = time.time() if before is None else before

        async def resealed(each: str, rotated: Rotated) -> bool:
            return await self._resealed(each, cutoff, rotated)

        return await self._each(resealed, session, prefix, progress)

    async def counts(self, prefix: str) -> KeyCounts:
        """Count the conversations and data keys that each key has wrapped."""
        counts = KeyCounts()
        async for head in walk(self._store, prefix):
            ring = await self._keys.load(head.log.session)
            if ring.destroyed_at is not None:
                counts.destroyed += 1
            elif not ring.records:
                counts.without += 1
            self._count(ring, counts)
        return counts

    async def destroy(self, session: str) -> bool:
        """Destroy the keys of a conversation; whether it had any.

        First in the store with the records, so that no process seals with a remembered key or
        one that is being made. Done again, it finishes what was killed in between.

        Listed before that, the keys in the other store are not those of a conversation that
        another process begins anew meanwhile.
        """
        there = await self._keys.listed_elsewhere(session)
        ids = await self._marked(session, is_needed=bool(there))
        self._keys.forget(session)
        if not there and not ids:
            return False
        await self._keys.drop(session, {*there, *ids, 0})
        return True

    async def _marked(self, session: str, *, is_needed: bool) -> list[int]:
        """Put a mark in place of all keys; their ids, 0 for one that can't be read.

        is_needed: also if there are none.
        """
        log = Log(session, KEYS)
        while True:
            stored = await self._store.read(log)
            found = [(at, key_record_of(payload)) for at, payload, _ in stored]
            ids = [_id_in(each) for _, each in found if not isinstance(each, Destroyed)]
            if not ids and (stored or not is_needed):
                return ids
            self._check_reached(log, found)
            with suppress(Conflict):  # a key was added: look again
                mark = Destroyed(time.time()).payload()
                end = stored.positions[-1] if stored else 0
                await _rewritten(self._store, log, end, [mark])
                return ids

    def _check_reached(
        self, log: Log, found: Sequence[tuple[int, KeyRecord | Destroyed | None]]
    ) -> None:
        """Raise `Unreadable` if a wrapped key lies in a store that was not named."""
        for position, each in found if self._elsewhere is None else ():
            if isinstance(each, KeyRecord) and each.wrapped is None:
                raise Unreadable(log, position, NOT_HERE)

    async def _each(
        self,
        work: Callable[[str, Rotated], Awaitable[bool]],
        session: str | None,
        prefix: str,
        progress: Progress,
    ) -> Rotated:
        rotated = Rotated()
        if session is not None:
            if prefix:
                raise ValueError("give a session or a prefix, not both")
            rotated.conversations = 1
            rotated.changed += await work(session, rotated)
            return rotated
        async for head in walk(self._store, prefix):
            await self._one(work, head.log.session, rotated)
            if progress(rotated):
                break
        return rotated

    async def _one(
        self, work: Callable[[str, Rotated], Awaitable[bool]], session: str, rotated: Rotated
    ) -> None:
        """Work on one of many conversations: an unreadable one does not stop the others."""
        rotated.conversations += 1
        try:
            rotated.changed += await work(session, rotated)
        except Unreadable as error:
            rotated.failed[session] = error
            _logger.warning("the keys of session %r were not rotated: %s", session, error.problem)

    async def _rewrapped(self, session: str, rotated: Rotated) -> bool:
        log, store = Log(session, KEYS), self._elsewhere or self._store
        while True:
            ring = await self._keys.load(session)
            if ring.destroyed_at is not None:
                rotated.destroyed += 1
                return False
            old = [key_id for key_id, (_, each) in ring.records.items() if self._is_old(each)]
            if not old:
                return False
            anew = {key_id: await self._keys.wrapped_anew(ring, key_id) for key_id in old}
            stored = await store.read(log)
            payloads = [_payload(each, anew) for each in stored.payloads]
            try:
                await _rewritten(store, log, stored.positions[-1] if stored else 0, payloads)
            except Conflict:
                continue  # another process changed the keys: look again
            self._keys.forget(session)
            rotated.keys += len(anew)
            return True

    def _is_old(self, record: KeyRecord) -> bool:
        """Whether a data key is to be wrapped anew; always, if the provider can't tell."""
        named = self._provider
        if record.wrapped is None or not isinstance(named, NamesKeys):
            return True
        return named.key_id(record.wrapped) != named.primary

    async def _resealed(self, session: str, cutoff: float, rotated: Rotated) -> bool:
        made = False
        while True:
            ring = await self._keys.load(session)
            if ring.destroyed_at is not None:
                rotated.destroyed += 1
                return False
            try:
                if not made and await self._needs_key(ring, cutoff):
                    await self._add_key(ring)
                    made, rotated.keys = True, rotated.keys + 1
                    continue
                return await self._finished(ring, rotated) or made
            except Conflict as conflict:
                if conflict.log.name != KEYS:
                    raise

    async def _needs_key(self, ring: Ring, cutoff: float) -> bool:
        """Whether a new data key is to be made: not if there are several, of which one is new."""
        if ring.newest is None:
            return await self._is_in_plain(ring.log.session)
        return len(ring.records) == 1 and ring.records[ring.newest][1].at < cutoff

    async def _is_in_plain(self, session: str) -> bool:
        """Whether a conversation without keys is to be sealed. Raises if it can't be read."""
        found = await forbidden(self._store, self._opener, session)
        if found is None:
            return self._adopts and bool(await self._store.logs(session))
        ring = await self._keys.load(session)
        if ring.end == 0 and await forbidden(self._store, self._opener, session) == found:
            raise found.error
        # It was encrypted or deleted meanwhile. The caller looks at its keys again.
        raise Conflict(ring.log, 0, ring.end)

    async def _add_key(self, ring: Ring) -> None:
        """Make a new data key the newest. From then on all writers use it."""
        session = ring.log.session
        new = await self._keys.made(session, ring)
        try:
            await self._store.append(ring.log, [new.record.payload()], expect=ring.end)
        except Conflict:
            await self._keys.drop_unused(session, new.key.id)
            raise
        finally:
            self._keys.forget(session)

    async def _finished(self, ring: Ring, rotated: Rotated) -> bool:
        """Seal with the newest key what is not, and drop the keys that nothing needs then."""
        if ring.newest is None or not (len(ring.records) > 1 or self._adopts):
            return await self._swept(ring)
        key = await self._keys.key(ring, ring.newest)
        scan = Resealing(self._store, self._opener, ring, key)
        try:
            await scan.run()
        finally:
            rotated.records += scan.records
        rotated.unreadable += scan.unreadable
        kept = (scan.needed & ring.records.keys()) | {ring.newest}
        if kept != ring.records.keys():
            await self._drop(ring, kept)
            return True
        return scan.records > 0

    async def _swept(self, ring: Ring) -> bool:
        """Drop keys in the other store that a killed reseal has left there; whether there were."""
        there = await self._keys.listed_elsewhere(ring.log.session)
        if ring.newest is None or ring.records.keys() >= {*there}:
            return False
        await self._drop(ring, set(ring.records))
        return True

    async def _drop(self, ring: Ring, kept: AbstractSet[int]) -> None:
        """Keep only the data keys `kept`.

        A key in the other store that is not in the ring may be new, of a process that is
        about to add it to the ring. Of those that were there before the ring was written, none
        can be added any more: the ring ends elsewhere then.
        """
        session = ring.log.session
        there = await self._keys.listed_elsewhere(session)
        stored = await self._store.read(ring.log, before=ring.end + 1)
        await _rewritten(self._store, ring.log, ring.end, _only(stored, kept))
        self._keys.forget(session)
        await self._keys.drop(session, {*there} - kept)

    def _count(self, ring: Ring, counts: KeyCounts) -> None:
        named = self._provider
        ids = [
            named.key_id(each.wrapped) if each.wrapped and isinstance(named, NamesKeys) else ""
            for _, each in ring.records.values()
        ]
        for key_id in ids:
            counts.data_keys[key_id] = counts.data_keys.get(key_id, 0) + 1
        for key_id in set(ids):
            counts.conversations[key_id] = counts.conversations.get(key_id, 0) + 1


def _id_in(record: KeyRecord | None) -> int:
    return record.id if record else 0


async def _rewritten(store: Store, log: Log, end: int, payloads: Sequence[bytes]) -> None:
    """Put `payloads` in place of all that is in `log`, which ends at `end`."""
    await store.commit(log.session, [Append(log.name, payloads, expect=end, cut=0)])


def _payload(stored: bytes, wrapped: dict[int, bytes]) -> bytes:
    """The record of a key, with its new wrapped form if there is one."""
    found = key_record_of(stored)
    if isinstance(found, KeyRecord) and found.id in wrapped:
        return found._replace(wrapped=wrapped[found.id]).payload()
    return stored


def _only(stored: Records, kept: AbstractSet[int]) -> list[bytes]:
    """The payloads of the keys `kept`, the newest last, and of those that can't be read.

    Nobody knows what such a key has sealed, and it may be repaired one day.
    """
    found = [(key_record_of(payload), payload) for payload in stored.payloads]
    return [payload for key, payload in found if not isinstance(key, KeyRecord) or key.id in kept]
