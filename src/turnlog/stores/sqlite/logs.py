"""The logs that one commit names: their ends, lengths and notes, and changes to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from turnlog.changes import Annotate, Append, Change, Forget, Remove
from turnlog.records import Log
from turnlog.store import span
from turnlog.stores.clock import as_text, micros, now
from turnlog.stores.sqlite.statements import ROWS_AT_ONCE, look_at, place, statements_for
from turnlog.stores.tables import Tables

__all__ = ["Logs"]


@dataclass(slots=True)
class _Facts:
    """What is known of a log without reading its records."""

    last: int = 0
    length: int = 0
    note: bytes = b""
    is_changed: bool = False


class Logs:
    """The logs of `session` that `changes` name, as they are in the cursor's transaction."""

    def __init__(
        self, cursor: sqlite3.Cursor, tables: Tables, session: str, changes: Sequence[Change]
    ) -> None:
        self._cursor = cursor
        self._session = session
        self._sql = statements_for(tables)
        self._facts: dict[str, _Facts] = {}
        self._exists = False
        self._look(tables, {change.log for change in changes})

    def ends(self) -> Mapping[str, int]:
        """Where each log ends."""
        return {name: facts.last for name, facts in self._facts.items()}

    def notes(self) -> Mapping[str, bytes]:
        """The note of each log."""
        return {name: facts.note for name, facts in self._facts.items()}

    def make(self, changes: Iterable[Change], *, makes_session: bool) -> None:
        """Make `changes`, whose conditions hold.

        makes_session: whether the session is made if it is missing.
        """
        for change in changes:
            self._make(change)
        at = as_text(now())
        for name, facts in self._facts.items():
            if facts.is_changed:
                self._put(name, facts, at)
        if makes_session and not self._exists:
            self._cursor.execute(self._sql.make_session, (self._session, at))

    def _look(self, tables: Tables, names: set[str]) -> None:
        others = names - {"main"}
        statement = look_at(tables, len(others), with_main="main" in names)
        for name, last, length, note, exists in self._cursor.execute(
            statement, (self._session, *others)
        ):
            if name == "main":
                self._exists = bool(exists)
            if name in names:
                self._facts[name] = _Facts(last, length, note or b"")

    def _make(self, change: Change) -> None:
        match change:
            case Append(name, payloads, _, cut, times):
                if cut is not None:
                    self._remove(name, cut, None)
                if payloads:
                    self._add(name, payloads, times)
            case Remove(name, after, before):
                self._remove(name, after, before)
            case Annotate(name, note):
                self._touch(name).note = note
            case Forget(name):
                self._forget(name)

    def _add(
        self, name: str, payloads: Sequence[bytes], times: Sequence[float | None] | None
    ) -> None:
        """Insert a row for each payload, a few rows per statement."""
        sql = self._sql.of(name)
        at = place(Log(self._session, name))
        stored = map(sql.stored, payloads)
        inserts, rows = (
            (sql.insert, list(zip(stored, strict=True)))
            if times is None
            else (sql.insert_at, list(zip(stored, map(_text_of, times), strict=True)))
        )
        for start in range(0, len(rows), ROWS_AT_ONCE):
            some = rows[start : start + ROWS_AT_ONCE]
            self._cursor.execute(inserts[len(some)], (*at, *chain.from_iterable(some)))
        facts = self._touch(name)
        assert self._cursor.lastrowid is not None  # noqa: S101 - an insert has one
        facts.last = self._cursor.lastrowid
        facts.length += len(rows)

    def _remove(self, name: str, after: int, before: int | None) -> None:
        facts = self._facts.get(name)
        if facts is None:
            return
        at = place(Log(self._session, name))
        bounds = span(after, before)
        removed = self._cursor.execute(self._sql.of(name).remove, (*at, *bounds)).rowcount
        if removed:
            self._touch(name).length -= removed
            if bounds[1] > facts.last:
                facts.last = self._last(name) if facts.length else 0

    def _last(self, name: str) -> int:
        at = place(Log(self._session, name))
        [last] = self._cursor.execute(self._sql.of(name).last, at).fetchone()
        return int(last or 0)

    def _forget(self, name: str) -> None:
        facts = self._facts.get(name)
        if facts is None:
            return
        self._remove(name, 0, None)
        if name != "main":
            del self._facts[name]
            self._cursor.execute(self._sql.forget, (self._session, name))
        elif facts.note:
            self._touch(name).note = b""

    def _touch(self, name: str) -> _Facts:
        """The facts of a log that changes, and is made if it is missing."""
        facts = self._facts.setdefault(name, _Facts())
        facts.is_changed = True
        return facts

    def _put(self, name: str, facts: _Facts, at: str) -> None:
        """Store the facts of a log."""
        values = (self._session, name, facts.last, facts.length, facts.note or None, at)
        self._cursor.execute(self._sql.of(name).put, values)
        self._exists = self._exists or name == "main"


def _text_of(moment: float | None) -> str | None:
    return None if moment is None else as_text(micros(moment))
