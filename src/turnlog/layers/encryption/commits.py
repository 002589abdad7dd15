"""Sealed commits: the changes of a commit, with payloads and notes sealed.

A record is bound to the position at which its log ended before, and a condition on a note is a
comparison with what is stored. A commit takes these from its caller where they are given, and
otherwise from what was seen last; where that is wrong, the `Conflict` tells what is there now.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from turnlog.changes import Annotate, Append, Change, Key, Replace, writes
from turnlog.errors import Conflict, RecordChanged
from turnlog.layers.encryption.header import KIND, is_in_plain
from turnlog.layers.encryption.keyless import Forbidden, forbidden
from turnlog.layers.encryption.opening import Opener
from turnlog.layers.encryption.replaced import places_of
from turnlog.layers.encryption.sealing import DataKey, note_context, record_context
from turnlog.records import Log, Records, Unopened
from turnlog.store import END, Store

__all__ = ["SealedCommit", "needs_key", "waits_for_others"]


class _Stored(NamedTuple):
    """The payload of a record as it is stored, and the place to seal it for."""

    payload: bytes
    place: tuple[int, int]


#: What no record has as its payload. A change that expects it fails.
_NEVER = _Stored(KIND + os.urandom(16), (0, 0))
#: The records of a `Replace` are read at once if there are at most so many times as many positions
#: between the first and the last.
_SPREAD = 8


def needs_key(changes: Sequence[Change], key: Key | None) -> bool:
    """Whether anything is to be sealed, or compared with something sealed; or a digest is kept."""
    for change in changes:
        if isinstance(change, Append | Replace):
            if len(change.payloads) > 0 and not is_in_plain(change.log):
                return True
        elif isinstance(change, Annotate) and (change.note or change.expect is not None):
            return True
    return key is not None and len(key.digest) > 0 and writes(changes)


def waits_for_others(changes: Sequence[Change]) -> bool:
    """Whether the end of a log has to be guessed, so that commits at once disturb each other."""
    for change in changes:
        if isinstance(change, Append) and change.expect is None and len(change.payloads) > 0:
            return True
    return False


class SealedCommit:
    """One commit on its way: the caller's changes, and what was guessed for them.

    ends: where logs ended when they were last seen, by name.
    """

    def __init__(
        self,
        store: Store,
        opener: Opener,
        session: str,
        changes: Sequence[Change],
        ends: dict[str, int],
    ) -> None:
        self._store = store
        self._opener = opener
        self._session = session
        self._changes = changes
        self._ends = ends
        #: The ends that were guessed, and the stored notes, by log.
        self._guessed: dict[str, int] = {}
        self._notes: dict[str, bytes] = {}
        #: The stored payloads and the places of the records that a `Replace` names, by log.
        self._stored: dict[str, list[_Stored]] = {}

    async def sealed(self, key: DataKey) -> list[Change]:
        """The changes, sealed with `key`."""
        return [await self._sealed(change, key) for change in self._changes]

    async def forbidden(self) -> Forbidden | None:
        """A record that must not be there if the conversation has no data key yet."""
        return await forbidden(self._store, self._opener, self._session)

    async def learn(self, conflict: Conflict) -> bool:
        """Whether `conflict` came of a wrong guess, so that the commit is to be tried again."""
        name = conflict.log.name
        if isinstance(conflict, RecordChanged):
            return await self._learn_records(conflict)
        if isinstance(conflict.actual, bytes):
            return await self._learn_note(name, conflict.actual)
        if self._guessed.get(name, conflict.actual) == conflict.actual:
            return False
        self._ends[name] = conflict.actual
        return True

    async def _sealed(self, change: Change, key: DataKey) -> Change:
        if is_in_plain(change.log) and not isinstance(change, Annotate):
            return change
        match change:
            case Append(_, payloads) if len(payloads) > 0:
                return self._append(change, key)
            case Annotate():
                return self._annotate(change, key)
            case Replace(_, positions) if len(positions) > 0:
                return await self._replace(change, key)
        return change

    def _append(self, change: Append, key: DataKey) -> Append:
        base = self._base(change)
        if change.expect is None:
            self._guessed[change.log] = base
        context = record_context(Log(self._session, change.log))
        # An end that no log can have makes the commit fail, whatever was sealed.
        sealed = key.seal(context, change.payloads, min(max(base, 0), END))
        return Append(change.log, sealed, base, change.cut, change.times)

    def _base(self, change: Append) -> int:
        """Where the log ends before the append: as it is expected, or as it was last seen."""
        return self._ends.get(change.log, 0) if change.expect is None else change.expect

    def _annotate(self, change: Annotate, key: DataKey) -> Annotate:
        note, expect = change.note, change.expect
        if note:
            [note] = key.seal(note_context(Log(self._session, change.log)), [note])
        if expect:
            expect = self._notes.get(change.log, expect)
        return change._replace(note=note, expect=expect)

    async def _learn_note(self, name: str, actual: bytes) -> bool:
        """Whether the stored note, `actual`, is what the caller expects. Raises if it is not."""
        expected = next(
            change.expect
            for change in self._changes
            if isinstance(change, Annotate) and change.log == name
        )
        log = Log(self._session, name)
        opened = await self._opener.note(log, actual)
        if not expected or opened != expected or self._notes.get(name) == actual:
            raise Conflict(log, expected or b"", opened) from None
        self._notes[name] = actual
        return True

    async def _replace(self, change: Replace, key: DataKey) -> Replace:
        log = Log(self._session, change.log)
        stored = self._stored.get(change.log)
        if stored is None:
            stored = self._stored[change.log] = await self._records(change)
        context = record_context(log)
        payloads = [
            key.seal(context, [payload], *place)[0]
            for payload, (_, place) in zip(change.payloads, stored, strict=True)
        ]
        return change._replace(payloads=payloads, old=[payload for payload, _ in stored])

    async def _records(self, change: Replace) -> list[_Stored]:
        """The records as they are stored; `_NEVER` where one is not the expected one."""
        log = Log(self._session, change.log)
        found: dict[int, tuple[_Stored, bytes]] = {}
        for part in filter(None, await self._parts(log, change.positions)):
            opened = (await self._opener.records(log, part)).payloads
            places = await places_of(self._store, self._opener, log, part, opened)
            stored = map(_Stored, part.payloads, places)
            found.update(zip(part.positions, zip(stored, opened, strict=True), strict=True))
        expected: list[_Stored] = []
        for position, old in zip(change.positions, change.old, strict=True):
            record, was = found.get(position, (_NEVER, _NEVER.payload))
            expected.append(record if _is_same(was, old) else _NEVER)
        return expected

    async def _parts(self, log: Log, positions: Sequence[int]) -> list[Records]:
        """The records at `positions`, and perhaps those between them."""
        first, last = positions[0], positions[-1]
        if last - first < _SPREAD * len(positions):
            return [await self._store.read(log, after=first - 1, before=last + 1)]
        return [await self._store.read(log, after=at - 1, before=at + 1) for at in positions]

    async def _learn_records(self, conflict: RecordChanged) -> bool:
        """Whether the record was only sealed anew, and still has the payload that is expected."""
        [change] = [
            change
            for change in self._changes
            if isinstance(change, Replace) and change.log == conflict.log.name
        ]
        before = self._stored.get(change.log)
        stored = self._stored[change.log] = await self._records(change)
        return stored != before


def _is_same(payload: bytes, old: bytes) -> bool:
    """Whether a record with `payload` is the expected one.

    What can't be opened is not, unless it was read as such.
    """
    return payload == old and (isinstance(old, Unopened) or not isinstance(payload, Unopened))
