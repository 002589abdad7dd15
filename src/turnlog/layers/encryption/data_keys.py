"""Data keys: the keys of each conversation, loaded from its log ":keys" and remembered a while."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from turnlog.errors import Unreadable
from turnlog.layers.encryption.key_records import KEYS, Destroyed, KeyRecord, key_record_of
from turnlog.layers.encryption.provider import KeyProvider, WrongKey
from turnlog.layers.encryption.sealing import DataKey
from turnlog.records import Log, Records
from turnlog.store import Store

__all__ = ["DataKeys", "Ring"]

_KEY_BYTES = 32
#: Of how many conversations the keys are remembered. Then all are forgotten.
_REMEMBERED = 10_000


@dataclass
class Ring:
    """The data keys of a conversation, as its log ":keys" held them."""

    log: Log
    #: Where ":keys" ended; 0 if the conversation has no data key.
    end: int
    #: The wrapped keys by id, the newest last; with the position of each.
    records: dict[int, tuple[int, KeyRecord]]
    #: When the keys were destroyed, in seconds since the epoch; None if they were not.
    destroyed_at: float | None
    #: By the clock `time.monotonic`.
    loaded_at: float
    #: The keys that were unwrapped so far.
    opened: dict[int, DataKey] = field(default_factory=dict)

    @property
    def newest(self) -> int | None:
        """The id of the key that writes; None if there is none."""
        return next(reversed(self.records)) if self.records else None

    def check_not_destroyed(self) -> None:
        """Raise `Unreadable` if the keys were destroyed."""
        if self.destroyed_at is not None:
            problem = "the keys of this conversation were destroyed, so it can't be read any more"
            raise Unreadable(self.log, self.end, problem)


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
        """The keys of `session`, as they are stored now."""
        log = Log(session, KEYS)
        loaded_at = time.monotonic()
        stored = await self._store.read(log)
        ring = _ring(log, stored, loaded_at)
        if self._elsewhere is not None and ring.records:
            ring.records = _with_wrapped(ring.records, await self._elsewhere.read(log))
        known = self._rings.get(session)
        if known is not None:
            ring.opened = {
                key_id: key for key_id, key in known.opened.items() if key_id in ring.records
            }
        if len(self._rings) >= _REMEMBERED:
            self._rings.clear()
        self._rings[session] = ring
        return ring

    def forget(self, session: str) -> None:
        """Load the keys of `session` anew when they are needed next."""
        self._rings.pop(session, None)

    async def key(self, ring: Ring, key_id: int) -> DataKey:
        """A key of `ring`, which has it. Raises `Unreadable` if it can't be unwrapped."""
        key = ring.opened.get(key_id)
        if key is None:
            key = ring.opened[key_id] = await self._unwrapped(ring, *ring.records[key_id])
        return key

    async def made(self, session: str) -> tuple[DataKey, KeyRecord]:
        """A new data key, and the record to be appended to ":keys" of `store`."""
        raw = _Raw(os.urandom(_KEY_BYTES))
        key_id = int.from_bytes(os.urandom(4), "big") or 1
        wrapped = await self._provider.wrap(session, raw.key)
        key = DataKey.of(session, key_id, raw.key)
        record = KeyRecord(key_id, time.time(), wrapped, key.commitment)
        if self._elsewhere is not None:
            await self._elsewhere.append(Log(session, KEYS), [record.payload()])
            record = record._replace(wrapped=None)
        return key, record

    async def wrapped_anew(self, ring: Ring, key_id: int) -> bytes:
        """A key of `ring`, wrapped once more. Raises `Unreadable` if it can't be unwrapped."""
        position, record = ring.records[key_id]
        raw, _ = await self._raw(ring, position, record)
        return await self._provider.wrap(ring.log.session, raw.key)

    async def _unwrapped(self, ring: Ring, position: int, record: KeyRecord) -> DataKey:
        _, key = await self._raw(ring, position, record)
        return key

    async def _raw(self, ring: Ring, position: int, record: KeyRecord) -> tuple[_Raw, DataKey]:
        """A key, checked, and its bytes."""
        session = ring.log.session
        if record.wrapped is None:
            raise Unreadable(ring.log, position, "its data key is missing in the store of the keys")
        try:
            raw = _Raw(await self._provider.unwrap(session, record.wrapped))
        except WrongKey as error:
            raise Unreadable(ring.log, position, str(error)) from None
        key = DataKey.of(session, record.id, raw.key)
        if not key.has(record.commitment):
            problem = "the provider gave another data key than the one that sealed the records"
            raise Unreadable(ring.log, position, problem)
        return raw, key


class _Raw:
    """The bytes of a key, which no traceback shows."""

    def __init__(self, key: bytes) -> None:
        self.key = key

    def __repr__(self) -> str:
        return "<key>"


def _ring(log: Log, stored: Records, loaded_at: float) -> Ring:
    records: dict[int, tuple[int, KeyRecord]] = {}
    destroyed_at = None
    for position, payload, _ in stored:
        match key_record_of(payload):
            case KeyRecord() as record:
                records[record.id] = (position, record)
            case Destroyed(at):
                destroyed_at = at
    end = stored.positions[-1] if stored else 0
    return Ring(log, end, records, destroyed_at, loaded_at)


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
        key_id: (position, record._replace(wrapped=wrapped.get(key_id)))
        for key_id, (position, record) in records.items()
    }
