"""Sealed commits: the changes of a commit, with payloads and notes sealed.

A record is bound to the position at which its log ended before, and a condition on a note is a
comparison with what is stored. A commit takes these from its caller where they are given, and
otherwise from what was seen last; where that is wrong, the `Conflict` tells what is there now.
"""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.changes import Annotate, Append, Change, Replace
from turnlog.errors import Conflict, RecordChanged
from turnlog.layers.encryption.header import PLACE, is_sealed
from turnlog.layers.encryption.opening import Opener, place_of
from turnlog.layers.encryption.sealing import DataKey, note_context, record_context
from turnlog.records import Log
from turnlog.store import END, Store

__all__ = ["SealedCommit", "needs_key", "waits_for_others"]


def needs_key(changes: Sequence[Change]) -> bool:
    """Whether `changes` hold anything to be sealed."""
    return any(
        (isinstance(change, Annotate) and (change.note or change.expect))
        or (isinstance(change, Append | Replace) and len(change.payloads) > 0)
        for change in changes
    )


def waits_for_others(changes: Sequence[Change]) -> bool:
    """Whether the end of a log has to be guessed, so that commits at once disturb each other."""
    return any(
        isinstance(change, Append) and change.expect is None and len(change.payloads) > 0
        for change in changes
    )


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
        self._notes: dict[str, bytes] = {}
        #: The stored payloads of the records that a `Replace` names, by log.
        self._stored: dict[str, list[bytes]] = {}

    async def sealed(self, key: DataKey) -> list[Change]:
        """The changes, sealed with `key`."""
        return [await self._sealed(change, key) for change in self._changes]

    async def learn(self, conflict: Conflict) -> bool:
        """Whether `conflict` came of a wrong guess, so that the commit is to be tried again."""
        name = conflict.log.name
        if isinstance(conflict, RecordChanged):
            return await self._learn_records(conflict)
        if isinstance(conflict.actual, bytes):
            return await self._learn_note(name, conflict.actual)
        guessed = any(
            isinstance(change, Append) and change.log == name and change.expect is None
            for change in self._changes
        )
        if guessed:
            self._ends[name] = conflict.actual
        return guessed

    async def _sealed(self, change: Change, key: DataKey) -> Change:
        match change:
            case Append(_, payloads) if len(payloads) > 0:
                return self._append(change, key)
            case Annotate():
                return self._annotate(change, key)
            case Replace(_, positions) if len(positions) > 0:
                return await self._replace(change, key)
        return change

    def _append(self, change: Append, key: DataKey) -> Append:
        base = self._ends.get(change.log, 0) if change.expect is None else change.expect
        context = record_context(Log(self._session, change.log))
        # An end that no log can have makes the commit fail, whatever was sealed.
        sealed = key.seal(context, change.payloads, min(max(base, 0), END))
        return change._replace(payloads=sealed, expect=base)

    def _annotate(self, change: Annotate, key: DataKey) -> Annotate:
        note, expect = change.note, change.expect
        if note:
            [note] = key.seal(note_context(Log(self._session, change.log)), [note])
        if expect and not is_sealed(expect):
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
        if expected is None or opened != expected:
            raise Conflict(log, expected or b"", opened)
        self._notes[name] = actual
        return True

    async def _replace(self, change: Replace, key: DataKey) -> Replace:
        log = Log(self._session, change.log)
        stored = self._stored.get(change.log)
        if stored is None:
            stored = self._stored[change.log] = await self._records(change)
        context = record_context(log)
        payloads = [
            key.seal(context, [payload], *_place(position, old))[0]
            for position, payload, old in zip(
                change.positions, change.payloads, stored, strict=True
            )
        ]
        return change._replace(payloads=payloads, old=stored)

    async def _records(self, change: Replace) -> list[bytes]:
        """The stored payloads of the records; where another is stored, what no store holds."""
        log = Log(self._session, change.log)
        stored: list[bytes] = []
        for position, old in zip(change.positions, change.old, strict=True):
            found = await self._store.read(log, after=position - 1, before=position + 1)
            opened = await self._opener.records(log, found)
            is_as_expected = [*opened.payloads] == [old]
            stored.append(found.payloads[0] if is_as_expected else old)
        return stored

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


def _place(position: int, stored: bytes) -> tuple[int, int]:
    """The place that a record at `position` is sealed for: as before, or right behind the last."""
    return (
        place_of(stored) if is_sealed(stored) and len(stored) >= PLACE.size else (position - 1, 0)
    )
