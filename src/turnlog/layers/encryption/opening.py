"""Opening: from the records that a store holds to the payloads that were sealed.

A record that can't be opened becomes an `Unopened` payload. A key that is missing or wrong is a
mistake in the set-up and raises `Unreadable`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from struct import Struct

from turnlog.errors import Unreadable
from turnlog.layers.encryption.data_keys import DataKeys
from turnlog.layers.encryption.header import CLEAR, HEADER, KIND, PLACE, TAG, is_in_plain, is_sealed
from turnlog.layers.encryption.places import Placed, misplaced
from turnlog.layers.encryption.ring import Ring
from turnlog.layers.encryption.sealing import DataKey, note_context, record_context
from turnlog.layers.encryption.unsealed import Reads, check_sdk_key, is_in_clear, may_be_wrong_key
from turnlog.records import Log, Records, Unopened
from turnlog.store import Head

__all__ = ["Opener", "key_id_of", "place_of"]


_NOT_ENCRYPTED = (
    "it is not encrypted, nor is anything in this conversation: "
    'Encrypted(…, reads="ours+plain") reads it, and its reseal() encrypts it'
)
_NO_KEYS = (
    "it is sealed, and the conversation has no data key: its log ':keys' is missing, as after a "
    "copy without it"
)
_DAMAGED = "it can't be authenticated: it was damaged, or comes from another place"
_MISPLACED = "it does not stand where it was written: it was moved or replayed"
_UNKNOWN_FORM = "it is sealed in a form that this version does not know, or was damaged"
_LOST_KEYS = (
    "it is sealed, and the conversation has none of the data keys that sealed it: its log ':keys' "
    "is an older one, or was damaged; restore it from a backup"
)
_UNKNOWN_KEY = "the conversation has no such data key: it was damaged, or comes from another place"

#: The authenticated part of a header: its first 8 bytes, the base and the ordinal.
_CLEAR = Struct(">8sQI")
#: How many notes of a list are opened at the same time.
_AT_ONCE = 16


class Opener:
    """Opens records and notes.

    keys: the data keys.
    reads: asked for payloads that are not sealed.
    """

    def __init__(self, keys: DataKeys, reads: Reads) -> None:
        self._keys = keys
        self._reads = reads

    async def records(self, log: Log, stored: Records, *, is_final: bool = True) -> Records:
        """`stored`, opened.

        is_final: whether the conversation has no such key if one is missing. Otherwise it may
            have been deleted after `stored` was read, and `Unreadable` is raised.
        """
        payloads = [*stored.payloads]
        if not payloads or is_in_plain(log.name):
            return stored
        starts = {each[:8] for each in payloads}
        ring = await self._ring(log.session, starts, is_final)
        opened = await self._at_once(ring, log, stored.positions, payloads, starts)
        if opened is None:
            opened = await self._one_by_one(ring, log, stored.positions, payloads)
        return Records(stored.positions, opened, stored.times)

    async def note(self, log: Log, note: bytes, *, is_final: bool = True) -> bytes:
        """A note, opened; `Unopened` if that is impossible."""
        if not note:
            return note
        if not is_sealed(note):
            return self._reads(log, note)
        try:
            ring = await self._ring(log.session, {note[:8]}, is_final)
            return await self._opened(ring, note_context(log), note)
        except Unreadable as error:
            if not is_final:
                raise
            return Unopened(note, error.problem)

    async def heads(self, heads: Sequence[Head], *, is_final: bool = True) -> list[Head]:
        """`heads` with their notes opened. If `is_final`, a missing or wrong key raises nothing."""
        noted = [head for head in heads if head.note]
        notes: dict[Log, bytes] = {}
        for start in range(0, len(noted), _AT_ONCE):
            part = noted[start : start + _AT_ONCE]
            opened = await asyncio.gather(
                *(self.note(head.log, head.note, is_final=is_final) for head in part),
                return_exceptions=True,  # so that all have ended before one is raised
            )
            for head, note in zip(part, opened, strict=True):
                if isinstance(note, BaseException):
                    raise note
                notes[head.log] = note
        return [head._replace(note=notes[head.log]) if head.note else head for head in heads]

    def problem_without_key(self, log: Log, stored: bytes) -> str:
        """Why a record must not be in a conversation that has no data key; "" if it may be.

        Beside the branches, logs are in plain text under the SDK's class too.
        """
        if is_sealed(stored):
            return _NO_KEYS
        if log.name.startswith(":"):
            return ""
        return _NOT_ENCRYPTED if is_in_clear(self._reads(log, stored)) else ""

    async def may_look_empty(self, log: Log, opened: Records) -> bool:
        """Whether nothing of `opened` is shown, which a mistake in the set-up may have caused.

        That is a wrong key of the SDK, the loss of ":keys", or a conversation that was never
        encrypted.
        """
        if may_be_wrong_key(opened.payloads) or _may_have_lost_keys(opened.payloads):
            return True
        return await self._is_in_clear(log, opened)

    async def check_not_empty(self, log: Log, opened: Records) -> None:
        """Raise `Unreadable` for that mistake. `opened` are all records of the log."""
        check_sdk_key(log, opened.payloads)
        _check_has_keys(log, opened.payloads)
        if await self._is_in_clear(log, opened):
            raise Unreadable(log, opened.positions[0], _NOT_ENCRYPTED)

    async def _is_in_clear(self, log: Log, opened: Records) -> bool:
        """Whether a branch holds nothing encrypted, and the conversation has no data key."""
        if not opened or log.name.startswith(":") or not all(map(is_in_clear, opened.payloads)):
            return False
        return (await self._keys.load(log.session)).end == 0

    async def _ring(self, session: str, starts: AbstractSet[bytes], is_final: bool) -> Ring:
        """The keys of `session`, loaded anew if one that is needed is not remembered.

        starts: the first 8 bytes of all that is to be opened.
        """
        ring = await self._keys.ring(session)
        needed = {key_id_of(start) for start in starts if start[:4] == KIND}
        if not needed <= ring.records.keys():
            ring = await self._keys.load(session)
        if not ring.records and any(map(is_sealed, starts)):
            ring.check_not_destroyed()
            raise Unreadable(ring.log, ring.end, _NO_KEYS)
        if not is_final and not needed <= ring.records.keys():
            raise Unreadable(ring.log, ring.end, _UNKNOWN_KEY)
        return ring

    async def _at_once(
        self,
        ring: Ring,
        log: Log,
        positions: Sequence[int],
        payloads: list[bytes],
        starts: AbstractSet[bytes],
    ) -> list[bytes] | None:
        """The payloads of records that one key has sealed; None if a closer look is needed."""
        key = await self._known_key(ring, payloads[0]) if len(starts) == 1 else None
        if key is None or min(map(len, payloads)) < HEADER + TAG:
            return None
        clear = [each[:CLEAR] for each in payloads]
        if not _in_place(positions, clear):
            return None
        return key.open_all(record_context(log), payloads, clear)

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
        if sealed[:4] != KIND:
            return Unopened(sealed, _UNKNOWN_FORM)
        if len(sealed) < HEADER + TAG:
            return Unopened(sealed, _DAMAGED)
        key = await self._known_key(ring, sealed)
        if key is None:
            await self._keys.check(ring)
            return Unopened(sealed, _UNKNOWN_KEY)
        payload = key.open(context, sealed)
        return Unopened(sealed, _DAMAGED) if payload is None else payload

    async def _known_key(self, ring: Ring, sealed: bytes) -> DataKey | None:
        """The key of `sealed`; None if it is not sealed, or the conversation has no such key."""
        if sealed[:4] != KIND or (key_id := key_id_of(sealed)) not in ring.records:
            return None
        return await self._keys.key(ring, key_id)


def _may_have_lost_keys(opened: Sequence[bytes]) -> bool:
    """Whether the conversation has none of the data keys that sealed the records of a read."""
    return len(opened) > 0 and all(
        isinstance(each, Unopened) and each.problem == _UNKNOWN_KEY for each in opened
    )


def _check_has_keys(log: Log, opened: Sequence[bytes]) -> None:
    """Raise `Unreadable` if `opened`, all of a log, shows that its keys are missing.

    That is so if none is there, and one has sealed several records: damage gives each an id of its
    own.
    """
    if _may_have_lost_keys(opened) and len(set(map(key_id_of, opened))) < len(opened):
        raise Unreadable(log, 0, _LOST_KEYS)


def key_id_of(sealed: bytes) -> int:
    """The id of the data key in the header of a sealed record."""
    return int.from_bytes(sealed[4:8], "big")


def place_of(sealed: bytes) -> tuple[int, int]:
    """The base and the ordinal in the header of a sealed record."""
    base, ordinal = PLACE.unpack_from(sealed, 8)
    return base, ordinal


def _in_place(positions: Sequence[int], clear: Sequence[bytes]) -> bool:
    """Whether all records stand where they were written, as `misplaced` decides it; faster.

    clear: the authenticated part of each header, all of one data key.
    """
    before, last_base, last = 0, -1, -1
    for position, (_, base, ordinal) in zip(
        positions, _CLEAR.iter_unpack(b"".join(clear)), strict=True
    ):
        if base == last_base:
            if ordinal <= last:
                return False
        elif base < before or base >= position:
            return False
        before, last_base, last = position, base, ordinal
    return True


def _authentic(
    positions: Sequence[int], payloads: Sequence[bytes], opened: Sequence[bytes]
) -> Iterable[Placed]:
    for position, stored, payload in zip(positions, payloads, opened, strict=True):
        if is_sealed(stored) and not isinstance(payload, Unopened):
            yield Placed(position, *place_of(stored))
