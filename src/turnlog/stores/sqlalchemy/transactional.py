"""Databases on which a write is a short transaction: MySQL, MariaDB and SQLite.

Its first statement writes the log's row and so takes its lock. What is read after that is
what was committed before, and no other connection writes to the log until the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, TextClause, text

from turnlog.records import Log
from turnlog.stores.sqlalchemy.dialect import Abandoned, Dialect, within
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.places import Place
from turnlog.stores.tables import Tables

__all__ = ["Templates", "Transactional"]


class Templates(NamedTuple):
    """The statements that write, as one kind of database has them."""

    #: Makes the log's row, or marks it as changed now.
    touch: str
    insert: str
    #: Sets the note in our heads.
    annotate: str
    store_key: str
    remove: str = "DELETE FROM {records} WHERE {here} AND {inside}"


class Writes(NamedTuple):
    """The same on logs of one kind."""

    touch: TextClause
    insert: TextClause
    annotate: TextClause
    store_key: TextClause
    remove: TextClause


class Transactional(Dialect):
    """The verbs that write, for MySQL and SQLite."""

    _templates: Templates

    def __init__(self, tables: Tables, layout: Layout) -> None:
        super().__init__(tables, layout)
        self._writes = self._places.map(self._writes_of)

    def append(
        self,
        db: Connection,
        log: Log,
        payloads: Sequence[bytes],
        expect: int | None,
        key: str | None,
    ) -> int:
        self._check_sizes(log, payloads)
        writes, at = self._writes.of(log), log._asdict()
        self._touch(db, log)
        done = None if key is None else self._done(db, log, key)
        if done is not None:
            raise Abandoned(done)
        if expect is not None:
            self._checked_end(db, log, expect)
        self._insert(db, log, payloads)
        position = self._last(db, log)
        if key is not None:
            db.execute(writes.store_key, {**at, "key": key, "position": position})
        return position

    def remove(self, db: Connection, log: Log, bounds: tuple[int, int], expect: int | None) -> int:
        self._touch(db, log)
        if expect is not None:
            self._checked_end(db, log, expect)
        values = {**log._asdict(), **within(bounds)}
        removed = db.execute(self._writes.of(log).remove, values).rowcount
        if not removed:
            raise Abandoned(0)
        return removed

    def annotate(self, db: Connection, log: Log, note: bytes) -> None:
        self._check_sizes(log, [note])
        self._touch(db, log)
        values = {**log._asdict(), "note": note, **self._now()}
        db.execute(self._writes.of(log).annotate, values)

    def _touch(self, db: Connection, log: Log) -> None:
        db.execute(self._writes.of(log).touch, {**log._asdict(), **self._now()})

    def _insert(self, db: Connection, log: Log, payloads: Sequence[bytes]) -> None:
        encode = self._places.of(log).encode
        shared = {**log._asdict(), **self._created_at(db, log)}
        rows = [{**shared, "payload": encode(payload)} for payload in payloads]
        for some in self._in_packets(log, rows):
            db.execute(self._writes.of(log).insert, some)

    def _check_sizes(self, log: Log, payloads: Sequence[bytes]) -> None:
        """Raise `ValueError` for payloads that are known to be too big for the server."""

    def _in_packets(self, _log: Log, rows: list[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
        """`rows` in parts that the server takes in one statement each."""
        return [rows]

    def _now(self) -> dict[str, object]:
        """The parameter `now`, where the time doesn't come from the server."""
        return {}

    def _created_at(self, _db: Connection, _log: Log) -> dict[str, object]:
        """The parameter `created_at` of records, where the column has no default that fits."""
        return {}

    def _writes_of(self, place: Place) -> Writes:
        return Writes(*(text(self._filled(template, place)) for template in self._templates))
