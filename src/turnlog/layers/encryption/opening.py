"""Opening: from the records that a store holds to the payloads that were sealed.

A record that can't be opened becomes an `Unopened` payload. A key that is missing or wrong is a
mistake in the set-up and raises `Unreadable`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from turnlog.errors import Unreadable
from turnlog.layers.encryption.data_keys import DataKeys, Ring
from turnlog.layers.encryption.header import CLEAR, KIND, PLACE, is_sealed
from turnlog.layers.encryption.places import Placed, misplaced
from turnlog.layers.encryption.sealing import DataKey, note_context, record_context
from turnlog.layers.encryption.unsealed import Reads
from turnlog.records import Log, Records, Unopened
from turnlog.store import Head

__all__ = ["Opener", "key_id_of", "place_of"]

_DAMAGED = "it can't be authenticated: it was damaged, or comes from another place"
_MISPLACED = "it does not stand where it was written: it was moved or replayed"
_UNKNOWN_FORM = "it is sealed in a form that this version does not know, or was damaged"
_UNKNOWN_KEY = "the conversation has no such data key: it was damaged, or comes from another place"
_NO_KEYS = "the conversation has sealed records but no data keys: its log ':keys' is missing"


class Opener:
    """Opens records and notes.

    keys: the data keys.
    reads: asked for payloads that are not sealed.
    """

    def __init__(self, keys: DataKeys, reads: Reads) -> None:
        self._keys = keys
        self._reads = reads

    async def records(self, log: Log, stored: Records) -> Records:
        """`stored`, opened."""
        payloads = [*stored.payloads]
        if not payloads:
            return stored
        ring = await self._ring(log.session, payloads)
        opened = await self._at_once(ring, log, stored.positions, payloads)
        if opened is None:
            opened = await self._one_by_one(ring, log, stored.positions, payloads)
        return Records(stored.positions, opened, stored.times)

    async def note(self, log: Log, note: bytes) -> bytes:
        """A note, opened. It never raises `Unreadable`: heads are listed without a key too."""
        if not note:
            return note
        if not is_sealed(note):
            return self._reads(log, note)
        try:
            ring = await self._ring(log.session, [note])
            return await self._opened(ring, note_context(log), note)
        except Unreadable as error:
            return Unopened(note, error.problem)

    async def head(self, head: Head) -> Head:
        """`head` with its note opened."""
        return head._replace(note=await self.note(head.log, head.note)) if head.note else head

    async def _ring(self, session: str, payloads: Sequence[bytes]) -> Ring:
        """The keys of `session`, loaded anew if one that is needed is not remembered."""
        ring = await self._keys.ring(session)
        needed = {key_id_of(each) for each in payloads if is_sealed(each)}
        if not needed <= ring.records.keys():
            ring = await self._keys.load(session)
        if needed and not ring.records:
            ring.check_not_destroyed()
            raise Unreadable(ring.log, 0, _NO_KEYS)
        return ring

    async def _at_once(
        self, ring: Ring, log: Log, positions: Sequence[int], payloads: list[bytes]
    ) -> list[bytes] | None:
        """The payloads of records that one key has sealed; None if a closer look is needed."""
        starts = {each[:8] for each in payloads}
        key = await self._known_key(ring, payloads[0]) if len(starts) == 1 else None
        if key is None or not _in_place(positions, payloads):
            return None
        return key.open_all(record_context(log), payloads)

    async def _one_by_one(
        self, ring: Ring, log: Log, positions: Sequence[int], payloads: list[bytes]
    ) -> list[bytes]:
        context = record_context(log)
        opened = [
            await self._opened(ring, context, each) if is_sealed(each) else self._reads(log, each)
            for each in payloads
        ]
        wrong = misplaced(_authentic(positions, payloads, opened))
        return [
            Unopened(stored, _MISPLACED) if position in wrong else payload
            for position, stored, payload in zip(positions, payloads, opened, strict=True)
        ]

    async def _opened(self, ring: Ring, context: bytes, sealed: bytes) -> bytes:
        if sealed[:4] != KIND or len(sealed) < CLEAR:
            return Unopened(sealed, _UNKNOWN_FORM)
        key = await self._known_key(ring, sealed)
        if key is None:
            return Unopened(sealed, _UNKNOWN_KEY)
        payload = key.open(context, sealed)
        return Unopened(sealed, _DAMAGED) if payload is None else payload

    async def _known_key(self, ring: Ring, sealed: bytes) -> DataKey | None:
        """The key of `sealed`; None if it is not sealed, or the conversation has no such key."""
        if sealed[:4] != KIND or (key_id := key_id_of(sealed)) not in ring.records:
            return None
        return await self._keys.key(ring, key_id)


def key_id_of(sealed: bytes) -> int:
    """The id of the data key in the header of a sealed record."""
    return int.from_bytes(sealed[4:8], "big")


def place_of(sealed: bytes) -> tuple[int, int]:
    """The base and the ordinal in the header of a sealed record."""
    base, ordinal = PLACE.unpack_from(sealed, 8)
    return base, ordinal


def _in_place(positions: Sequence[int], payloads: Sequence[bytes]) -> bool:
    """Whether all records stand where they were written, as `misplaced` decides it; faster."""
    places = PLACE.iter_unpack(b"".join([each[8:CLEAR] for each in payloads]))
    before, last_base, last = 0, -1, -1
    for position, (base, ordinal) in zip(positions, places, strict=True):
        follows = base >= before or (base == last_base and ordinal > last)
        if base >= position or not follows:
            return False
        before, last_base, last = position, base, ordinal
    return True


def _authentic(
    positions: Sequence[int], payloads: Sequence[bytes], opened: Sequence[bytes]
) -> Iterable[Placed]:
    for position, stored, payload in zip(positions, payloads, opened, strict=True):
        if is_sealed(stored) and not isinstance(payload, Unopened):
            yield Placed(position, *place_of(stored))
