"""Databases on which a write is a short transaction: MySQL, MariaDB and SQLite.

Its first statement writes the log's row and so takes its lock. What is read after that is
what was committed before, and nobody else writes to the log until the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, TextClause, text

from turnlog.records import Log
from turnlog.stores.sqlalchemy.dialect import Abandoned, Dialect
from turnlog.stores.sqlalchemy.places import Place

__all__ = ["Transactional"]


class Transactional(Dialect):
    """What MySQL and SQLite share."""

    #: What makes the log's row or marks it as changed now.
    _touched: str
    #: What sets the note of a row that is there already.
    _noted: str

    def append(
        self,
        db: Connection,
        log: Log,
        payloads: Sequence[bytes],
        expect: int | None,
        key: str | None,
    ) -> int:
        place, at = self.place(log), self.at(log)
        self.check_sizes(log, payloads)
        self._touch(db, log)
        if key is not None:
            done = self.find_key(db, log, key)
            if done is not None:
                raise Abandoned(done)
        if expect is not None:
            self.check_end(db, log, expect)
        created = self._created(db, log)
        rows = [{**at, **created, "payload": place.stored(payload)} for payload in payloads]
        for some in self.in_packets(log, rows):
            db.execute(self._inserts[place], some)
        position = self.last(db, log)
        if key is not None:
            db.execute(
                self._store_key, {**at, "main_of": _main_of(log), "key": key, "at": position}
            )
        return position

    def remove(self, db: Connection, log: Log, bounds: dict[str, int], expect: int | None) -> int:
        place = self.place(log)
        self._touch(db, log)
        if expect is not None:
            self.check_end(db, log, expect)
        removed = db.execute(self._removals[place], {**self.at(log), **bounds}).rowcount
        if not removed:
            raise Abandoned(0)
        return removed

    def annotate(self, db: Connection, log: Log, note: bytes) -> None:
        self.check_sizes(log, [note])
        self._touch(db, log)
        values = {**self.at(log), "main_of": _main_of(log), "note": note, **self._now()}
        db.execute(self._annotate, values)

    def _touch(self, db: Connection, log: Log) -> None:
        db.execute(self._touches[self.place(log)], {**self.at(log), **self._now()})

    def in_packets(self, _log: Log, rows: list[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
        """`rows` in parts that the server takes in one statement each."""
        return [rows]

    def _now(self) -> dict[str, object]:
        """The parameter `now`, where it doesn't come from the server."""
        return {}

    def _created(self, _db: Connection, _log: Log) -> dict[str, object]:
        """The parameter `created_at`, where it doesn't come from the server."""
        return {}

    @cached_property
    def _touches(self) -> dict[Place, TextClause]:
        return {place: text(self._touched_row(place)) for place in (self.main, self.other)}

    def _touched_row(self, place: Place) -> str:
        names = ":session" if place.is_main else ":session, :name"
        return (
            f"INSERT INTO {place.row} ({place.columns}, created_at, updated_at) "
            f"VALUES ({names}, {self.now}, {self.now}) {self._touched.format(place.columns)}"
        )

    @cached_property
    def _inserts(self) -> dict[Place, TextClause]:
        return {place: text(self._insert(place)) for place in (self.main, self.other)}

    def _insert(self, place: Place) -> str:
        names = ":session" if place.is_main else ":session, :name"
        return (
            f"INSERT INTO {place.records} ({place.columns}, {place.payload}) "
            f"VALUES ({names}, :payload)"
        )

    @cached_property
    def _removals(self) -> dict[Place, TextClause]:
        return {
            place: text(f"DELETE FROM {place.records} WHERE {self.where(place)} AND {self.inside}")
            for place in (self.main, self.other)
        }

    @cached_property
    def _store_key(self) -> TextClause:
        main_of, value = self._main_of_column
        return text(
            f"INSERT INTO {self.quoted(self.tables.keys)} "
            f"(session_id, name, {main_of}{self.key}, position) "
            f"VALUES (:session, :name, {value}:key, :at)"
        )

    @cached_property
    def _annotate(self) -> TextClause:
        main_of, value = self._main_of_column
        return text(
            f"INSERT INTO {self.other.row} "
            f"(session_id, name, {main_of}created_at, updated_at, note) "
            f"VALUES (:session, :name, {value}{self.now}, {self.now}, :note) {self._noted}"
        )

    #: The column that ties the log "main" to its session, where a trigger doesn't.
    _main_of_column = ("", "")
    #: The time, as an expression.
    now = ":now"


def _main_of(log: Log) -> str | None:
    return log.session if log.name == "main" else None
