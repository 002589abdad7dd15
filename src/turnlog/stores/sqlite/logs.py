"""The logs that one commit names: their ends, lengths and notes, and changes to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from turnlog.changes import Annotate, Append, Change, Forget, Remove, Replace
from turnlog.store import END, span
from turnlog.stores.clock import as_text, now
from turnlog.stores.sqlite.growth import insert
from turnlog.stores.sqlite.statements import Statements, look_at, place

__all__ = ["Logs"]


@dataclass(slots=True)
class _Facts:
    """Facts about a log that need no reading of its records."""

    last: int = 0
    length: int = 0
    note: bytes = b""
    is_changed: bool = False


class Logs:
    """The logs of `session` that `changes` name, as they are in the cursor's transaction."""

    def __init__(
        self, cursor: sqlite3.Cursor, sql: Statements, session: str, changes: Sequence[Change]
    ) -> None:
        self._cursor = cursor
        self._session = session
        self._sql = sql
        self._facts: dict[str, _Facts] = {}
        self._exists = False
        self._look({change.log for change in changes})

    def ends(self) -> Mapping[str, int]:
        """The end of each log."""
        return {name: facts.last for name, facts in self._facts.items()}

    def notes(self) -> Mapping[str, bytes]:
        """The note of each log."""
        return {name: facts.note for name, facts in self._facts.items()}

    def payloads(self, change: Replace) -> list[bytes | None]:
        """The payloads of the records that `change` is to replace; None where no record is."""
        with _texts_as_bytes(self._cursor.connection):
            return [self._payload(change.log, position) for position in change.positions]

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

    def _look(self, names: set[str]) -> None:
        others = names - {"main"}
        statement = look_at(
            self._sql.tables,
            len(others),
            with_main="main" in names,
            is_shared=self._sql.is_shared,
        )
        for name, last, length, note, exists in self._cursor.execute(
            statement, (self._session, *others)
        ):
            if name == "main":
                self._exists = bool(exists)
            if name in names:
                self._facts[name] = _Facts(last, length, note or b"")

    def _make(self, change: Change) -> None:
        match change:
            case Append(name, payloads, _, cut):
                if cut is not None:
                    self._remove(name, cut, None)
                if payloads:
                    self._add(change)
            case Remove(name, after, before):
                self._remove(name, after, before)
            case Annotate(name, note):
                self._touch(name).note = note
            case Replace():
                self._replace(change)
            case Forget(name):
                self._forget(name)

    def _payload(self, name: str, position: int) -> bytes | None:
        if not 0 < position <= END:  # more than the column can hold
            return None
        at = place(self._session, name)
        row = self._cursor.execute(self._sql.of(name).payload, (*at, position)).fetchone()
        return None if row is None else row[0]

    def _replace(self, change: Replace) -> None:
        sql, at = self._sql.of(change.log), place(self._session, change.log)
        pairs = zip(change.positions, change.payloads, strict=True)
        rows = [(sql.stored(payload), *at, position) for position, payload in pairs]
        self._cursor.executemany(sql.replace, rows)

    def _add(self, change: Append) -> None:
        facts = self._touch(change.log)
        facts.last = insert(self._cursor, self._sql, self._session, change)
        facts.length += len(change.payloads)

    def _remove(self, name: str, after: int, before: int | None) -> None:
        facts = self._facts.get(name)
        if facts is None:
            return
        at = place(self._session, name)
        bounds = span(after, before)
        first, *more = self._sql.of(name).remove
        removed = self._cursor.execute(first, (*at, *bounds)).rowcount
        for statement in more:
            self._cursor.execute(statement, (*at, *bounds))
        if removed:
            self._touch(name).length -= removed
            if bounds[1] > facts.last:
                facts.last = self._last(name) if facts.length else 0

    def _last(self, name: str) -> int:
        at = place(self._session, name)
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


@contextmanager
def _texts_as_bytes(db: sqlite3.Connection) -> Iterator[None]:
    """Within the block, text is read as the bytes that are stored, whatever they are."""
    before, db.text_factory = db.text_factory, bytes
    try:
        yield
    finally:
        db.text_factory = before
