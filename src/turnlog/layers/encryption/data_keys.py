"""Data keys: the keys of each conversation, loaded from its log ":keys" and remembered a while."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from traceback import clear_frames
from typing import NamedTuple

from turnlog.changes import Append, Remove
from turnlog.errors import Conflict, Unreadable
from turnlog.layers.encryption.key_records import KEYS, KeyRecord, key_record_of
from turnlog.layers.encryption.provider import KeyProvider, WrongKey
from turnlog.layers.encryption.ring import Ring, ring_of
from turnlog.layers.encryption.sealing import KEY_BYTES, DataKey, RawKey
from turnlog.loops.finishing import finished
from turnlog.records import Log, Records
from turnlog.store import Store

__all__ = ["NOT_HERE", "DataKeys", "NewKey"]

#: Of how many conversations the keys are remembered. Then all are forgotten.
_REMEMBERED = 10_000
#: What the log "main" of a conversation holds in the store of the keys. It is written anew with
#: each first key, so that a deletion notices a key that is made at the same moment.
_MARK = b"{}"

NOT_HERE = (
    "the wrapped data key is not in this store: name the store that has it, "
    "Encrypted(store, keyring, keys=other_store)"
)
_MISSING = "its data key is missing in the store of the keys, or was destroyed there"
_OTHER_KEY = "the provider gave another data key than the one that sealed the records"
_IN_USE = (
    "the store of the keys holds a conversation of this id, which a key must not be mixed with: "
    "give the keys a store of their own, or another prefix or tables"
)
_DAMAGED_DIGESTS = (
    "the digest key beside it is damaged: restore the log ':keys' of the conversation from a backup"
)


class NewKey(NamedTuple):
    """A data key that was made and not yet stored."""

    key: DataKey
    #: For the log ":keys" of the conversation.
    record: KeyRecord


class DataKeys:
    """The data keys of all conversations of `store`.

    provider: wraps and unwraps them.
    elsewhere: the store of the wrapped keys; None: they lie in `store`.
    seconds: how long keys are remembered before they are loaded anew.
    """

    def __init__(
        self, store: Store, provider: KeyProvider, elsewhere: Store | None, seconds: float
    ) -> None:
        self._store = store
        self._provider = provider
        self._elsewhere = elsewhere
        self._seconds = seconds
        self._rings: dict[str, Ring] = {}

    async def ring(self, session: str) -> Ring:
        """The keys of `session`, loaded if they are not remembered."""
        ring = self._rings.get(session)
        if ring is None or time.monotonic() - ring.loaded_at > self._seconds:
            ring = await self.load(session)
        return ring

    async def load(self, session: str) -> Ring:
        """The keys of `session`, as they are stored now.

        If cancelled, it ends first: a driver whose reads are cut off loses its connection.
        """
        return await finished(self._loaded(session))

    async def _loaded(self, session: str) -> Ring:
        log = Log(session, KEYS)
        loaded_at = time.monotonic()
        ring = ring_of(log, await self._store.read(log), loaded_at)
        if self._elsewhere is not None and ring.records:
            ring.records = _with_wrapped(ring.records, await self._elsewhere.read(log))
        known = self._rings.get(session)
        if known is not None:
            ring.opened = _still_valid(known.opened, ring.records)
        self._remember(ring)
        return ring

    def forget(self, session: str) -> None:
        """Load the keys of `session` anew when they are needed next."""
        self._rings.pop(session, None)

    def forget_all(self) -> None:
        self._rings.clear()

    async def key(self, ring: Ring, key_id: int) -> DataKey:
        """A key of `ring`, which has it. Raises `Unreadable` if it can't be unwrapped."""
        key = ring.opened.get(key_id)
        if key is None:
            key = ring.opened[key_id] = await self._unwrapped(ring, *ring.records[key_id])
        return key

    async def check(self, ring: Ring) -> None:
        """Raise `Unreadable` if the keys of `ring` are another conversation's, or damaged."""
        if ring.newest is not None:
            await self.key(ring, ring.newest)

    async def made(self, session: str, before: Ring | None = None) -> NewKey:
        """A new data key. Where wrapped keys have a store of their own, it is stored there.

        before: the keys that the conversation has. Raises `Unreadable` if the newest can't be
            unwrapped: a process that can't read the conversation must not give it a key.
        """
        ids = before.records.keys() if before else frozenset()
        older = await self.key(before, before.newest) if before and before.newest else None
        raw = RawKey(os.urandom(KEY_BYTES))
        key, digests = DataKey.of(session, _free_id(ids), raw), None
        if older is not None:
            key, digests = key.with_digests_of(older, session)
        with _cleared_frames():
            wrapped = await self._provider.wrap(session, raw.key)
        record = KeyRecord(key.id, time.time(), wrapped, key.commitment, digests)
        if self._elsewhere is not None:
            await _put(self._elsewhere, session, record)
            record = record._replace(wrapped=None)
        return NewKey(key, record)

    def remember(self, session: str, new: NewKey, position: int) -> None:
        """Remember a key that was stored at `position` of ":keys", as the only one there."""
        key, record = new
        records, opened = {key.id: (position, record)}, {key.id: key}
        log = Log(session, KEYS)
        self._remember(Ring(log, position, records, None, time.monotonic(), opened))

    async def listed(self, session: str) -> list[int]:
        """The ids of all keys of `session`, as they are stored now."""
        return await _ids_in(self._store, session)

    async def listed_elsewhere(self, session: str) -> list[int]:
        """The ids of all keys of `session` in the store of the keys; none if there is none."""
        return [] if self._elsewhere is None else await _ids_in(self._elsewhere, session)

    async def drop_unused(self, session: str, key_id: int) -> None:
        """Delete a key from the store of the keys, unless the conversation uses it."""
        if self._elsewhere is not None and key_id not in (await self.load(session)).records:
            await self.drop(session, {key_id})

    async def drop(self, session: str, key_ids: Collection[int]) -> None:
        """Delete keys from the store of the keys, and no others.

        So a conversation that another process makes anew at the same moment keeps its key.
        """
        if self._elsewhere is not None and key_ids:
            while not await self._dropped(self._elsewhere, session, key_ids):
                pass

    async def _dropped(self, elsewhere: Store, session: str, key_ids: Collection[int]) -> bool:
        """Whether nothing is left to be dropped. A rotation may write a key anew meanwhile."""
        mark = await elsewhere.read(Log(session), limit=1)
        stored = await elsewhere.read(Log(session, KEYS))
        dropped = [at for at, payload, _ in stored if _id_of(payload) in key_ids]
        if len(dropped) < len(stored) or not _is_mark(mark):
            for at in dropped:
                await elsewhere.commit(session, [Remove(KEYS, at - 1, at + 1)])
            return not dropped
        try:
            await elsewhere.delete(session, expect=mark.positions[-1] if mark else 0)
        except Conflict:  # another first key is being made
            return False
        return True

    def _remember(self, ring: Ring) -> None:
        if len(self._rings) >= _REMEMBERED:
            self._rings.clear()
        self._rings[ring.log.session] = ring

    async def wrapped_anew(self, ring: Ring, key_id: int) -> bytes:
        """A key of `ring`, wrapped once more. Raises `Unreadable` if it can't be unwrapped."""
        raw, _ = await self._raw(ring, *ring.records[key_id])
        with _cleared_frames():
            return await self._provider.wrap(ring.log.session, raw.key)

    async def _unwrapped(self, ring: Ring, position: int, record: KeyRecord) -> DataKey:
        _, key = await self._raw(ring, position, record)
        return key

    async def _raw(self, ring: Ring, position: int, record: KeyRecord) -> tuple[RawKey, DataKey]:
        """The bytes of a key, and the key; the commitment says that it is the right one."""
        session = ring.log.session
        if record.wrapped is None:
            problem = NOT_HERE if self._elsewhere is None else _MISSING
            raise Unreadable(ring.log, position, problem)
        try:
            with _cleared_frames():
                raw = RawKey(await self._provider.unwrap(session, record.wrapped))
        except WrongKey as error:
            raise Unreadable(ring.log, position, str(error)) from None
        key = DataKey.of(session, record.id, raw)
        if not key.has(record.commitment):
            raise Unreadable(ring.log, position, _OTHER_KEY)
        if record.digests is None:
            return raw, key
        complete = key.with_digests(record.digests, session)
        if complete is None:
            raise Unreadable(ring.log, position, _DAMAGED_DIGESTS)
        return raw, complete


@contextmanager
def _cleared_frames() -> Iterator[None]:
    """Clear the local variables of a provider that fails: they may hold the key.

    Those of the errors that it failed with in turn too, such as one of a connection.
    """
    try:
        yield
    except BaseException as error:
        for each in _with_causes(error):
            clear_frames(each.__traceback__)
        raise


def _with_causes(error: BaseException) -> Iterator[BaseException]:
    """`error`, its cause and context, theirs, and those that a group holds; each once."""
    ahead, seen = [error], set[int]()
    while ahead:
        each = ahead.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            grouped = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
            ahead += filter(None, (each.__cause__, each.__context__, *grouped))


def _free_id(taken: AbstractSet[int]) -> int:
    while (found := int.from_bytes(os.urandom(4), "big")) in {0, *taken}:
        pass
    return found


async def _put(elsewhere: Store, session: str, record: KeyRecord) -> None:
    """Store a new key in the store of the keys. Raises `ValueError` if it holds other things."""
    while True:
        mark = await elsewhere.read(Log(session), limit=1)
        if not _is_mark(mark):
            raise ValueError(_IN_USE)
        end = mark.positions[-1] if mark else 0
        changes = [Append(KEYS, [record.payload()]), Append("main", [_MARK], expect=end, cut=0)]
        with suppress(Conflict):  # another key is being made
            await elsewhere.commit(session, changes)
            return


def _is_mark(newest: Records) -> bool:
    """Whether the log "main", with this newest record, holds nothing but our mark."""
    return not newest or newest.payloads[0] == _MARK


async def _ids_in(store: Store, session: str) -> list[int]:
    stored = await store.read(Log(session, KEYS))
    return [key_id for key_id in map(_id_of, stored.payloads) if key_id]


def _id_of(payload: bytes) -> int:
    """The id of the key in a record of ":keys"; 0 if it has none."""
    record = key_record_of(payload)
    return record.id if isinstance(record, KeyRecord) else 0


def _still_valid(
    opened: Mapping[int, DataKey], records: Mapping[int, tuple[int, KeyRecord]]
) -> dict[int, DataKey]:
    """The keys of `opened` that `records` still has."""
    return {
        key_id: key
        for key_id, key in opened.items()
        if key_id in records and key.has(records[key_id][1].commitment)
    }


def _with_wrapped(
    records: Mapping[int, tuple[int, KeyRecord]], elsewhere: Records
) -> dict[int, tuple[int, KeyRecord]]:
    """`records` with the wrapped keys that the other store holds."""
    wrapped = {
        record.id: record.wrapped
        for record in map(key_record_of, elsewhere.payloads)
        if isinstance(record, KeyRecord)
    }
    return {
        key_id: (position, record._replace(wrapped=wrapped.get(key_id, record.wrapped)))
        for key_id, (position, record) in records.items()
    }
