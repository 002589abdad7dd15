"""Databases on which a write is a short transaction: MySQL, MariaDB and SQLite.

Its first statement writes the log's row and so takes its lock. What is read after that is
what was committed before, and nobody else writes to the log until the end.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property

from sqlalchemy import Connection, TextClause, inspect, text

from turnlog.store import Log
from turnlog.stores.sqlalchemy import moments
from turnlog.stores.sqlalchemy.dialect import Dialect, Place
from turnlog.tables import Tables, quoted, sqlite_migrations

__all__ = ["MySQL", "SQLite"]


class _Transactional(Dialect):
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
        self._touch(db, log)
        if key is not None:
            done = self.find_key(db, log, key)
            if done is not None:
                db.rollback()
                return done
        if expect is not None:
            self.check_end(db, log, expect)
        created = self._created(db, log)
        rows = [{**at, **created, "payload": place.stored(payload)} for payload in payloads]
        db.execute(self._inserts[place], rows)
        position = self.last(db, log)
        if key is not None:
            db.execute(
                self._store_key, {**at, "main_of": _main_of(log), "key": key, "at": position}
            )
        return position

    def remove(self, db: Connection, log: Log, bounds: dict[str, int], expect: int | None) -> int:
        place = self.place(log)
        if not self._is_there(db, log):
            self.check_end(db, log, expect)
            return 0
        self._touch(db, log)
        if expect is not None:
            self.check_end(db, log, expect)
        removed = db.execute(self._removals[place], {**self.at(log), **bounds}).rowcount
        if not removed:
            db.rollback()
        return removed

    def annotate(self, db: Connection, log: Log, note: bytes) -> None:
        self._touch(db, log)
        values = {**self.at(log), "main_of": _main_of(log), "note": note, **self._now()}
        db.execute(self._annotate, values)

    def _touch(self, db: Connection, log: Log) -> None:
        db.execute(self._touches[self.place(log)], {**self.at(log), **self._now()})

    def _is_there(self, db: Connection, log: Log) -> bool:
        there = db.execute(self._looks[self.place(log)], self.at(log)).scalar() is not None
        db.rollback()  # so that the touch comes first in its transaction
        return there

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
    def _looks(self) -> dict[Place, TextClause]:
        return {
            place: text(f"SELECT 1 FROM {place.row} WHERE {self.where(place)}")
            for place in (self.main, self.other)
        }

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


class SQLite(_Transactional):
    """SQLite 3.24 and later; the very file that `turnlog.SQLiteSession` makes."""

    _touched = "ON CONFLICT ({0}) DO UPDATE SET updated_at = excluded.updated_at"
    _noted = (
        "ON CONFLICT (session_id, name) "
        "DO UPDATE SET updated_at = excluded.updated_at, note = excluded.note"
    )
    # The SDK's times have no fraction: padding makes all of them comparable as text.
    changed = "substr(coalesce(s.updated_at, s.created_at, '') || '.000000', 1, 26)"
    lock_row = ""
    locks_all = True

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self.newest = len(sqlite_migrations(tables))
        self._last = 0

    def quoted(self, name: str) -> str:
        return quoted(name).replace(":", "\\:")

    def time_of(self, moment: float) -> str:
        return moments.instant(moment).isoformat(" ", "microseconds")

    def migrate(self, db: Connection, *, shared: bool) -> None:
        db.exec_driver_sql("BEGIN IMMEDIATE")
        db.exec_driver_sql(
            "CREATE TABLE IF NOT EXISTS turnlog_schema "
            "(messages_table TEXT PRIMARY KEY COLLATE NOCASE, version INTEGER NOT NULL)"
        )
        version = self.version(db)
        if not version and not shared:
            self.check_shared(db)
        for statements in sqlite_migrations(self.tables)[version:]:
            for statement in statements:
                db.exec_driver_sql(statement)
        db.execute(
            text(
                "INSERT OR REPLACE INTO turnlog_schema (messages_table, version) "
                "VALUES (:messages, :version)"
            ),
            {"messages": self.tables.messages, "version": self.newest},
        )

    def _now(self) -> dict[str, object]:
        # Never the same time twice: lists of sessions page by it.
        self._last = max(time.time_ns() // 1000, self._last + 1)
        moment = datetime.fromtimestamp(self._last // 1_000_000, UTC).replace(tzinfo=None)
        return {"now": f"{moment.isoformat(' ')}.{self._last % 1_000_000:06d}"}


class MySQL(_Transactional):
    """MySQL 8 and MariaDB 10.5, and later."""

    # An index takes 3,072 bytes, and a character up to four.
    longest = (255, 128, 255)
    now = "UTC_TIMESTAMP(6)"
    key = "`key`"
    _touched = (
        "ON DUPLICATE KEY UPDATE updated_at = "
        "GREATEST(UTC_TIMESTAMP(6), updated_at + INTERVAL 1 MICROSECOND)"
    )
    _noted = "ON DUPLICATE KEY UPDATE updated_at = VALUES(updated_at), note = VALUES(note)"
    _main_of_column = ("main_of, ", ":main_of, ")

    def quoted(self, name: str) -> str:
        return ("`" + name.replace("`", "``") + "`").replace(":", "\\:")

    def time_of(self, moment: float) -> datetime:
        return moments.instant(moment)

    def migrate(self, db: Connection, *, shared: bool) -> None:
        # A lock of the connection's: MySQL ends the transaction with each change of a table.
        taken = db.execute(text("SELECT GET_LOCK('turnlog_schema', 60)")).scalar()
        if taken != 1:
            raise TimeoutError("another process has been changing the schema for a minute")
        try:
            self._migrate(db, shared=shared)
        finally:
            db.execute(text("SELECT RELEASE_LOCK('turnlog_schema')"))

    def _migrate(self, db: Connection, *, shared: bool) -> None:
        if not inspect(db).has_table("turnlog_schema"):
            db.execute(
                text(
                    "CREATE TABLE turnlog_schema "
                    "(messages_table VARCHAR(64) PRIMARY KEY, version INTEGER NOT NULL)"
                )
            )
        if self.version(db) == self.newest:
            return
        if not shared:
            self.check_shared(db)
        # What compares by code points and minds trailing spaces has a name of its own here.
        collation = "utf8mb4_nopad_bin" if _is_mariadb(db) else "utf8mb4_0900_bin"
        for statement in self._schema(f"CHARACTER SET utf8mb4 COLLATE {collation}"):
            db.execute(text(statement))
        db.execute(
            text(
                "INSERT INTO turnlog_schema (messages_table, version) VALUES (:messages, :version)"
            ),
            {"messages": self.tables.messages, "version": self.newest},
        )

    def _schema(self, collated: str) -> list[str]:
        sessions, messages = self.main.row, self.main.records
        records, heads = self.other.records, self.other.row
        keys = self.quoted(self.tables.keys)
        now = "DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)"
        names = "session_id VARCHAR(255) NOT NULL, name VARCHAR(128) NOT NULL"
        # Set for the log "main" alone: so it is forgotten whole, also when another
        # library deletes the session.
        main_of = (
            "main_of VARCHAR(255), "
            f"FOREIGN KEY (main_of) REFERENCES {sessions} (session_id) ON DELETE CASCADE"
        )
        engine = f"ENGINE=InnoDB {collated}"
        return [
            f"CREATE TABLE IF NOT EXISTS {sessions} (session_id VARCHAR(255) PRIMARY KEY, "
            f"created_at {now}, updated_at {now}) {engine}",
            f"CREATE TABLE IF NOT EXISTS {messages} (id BIGINT AUTO_INCREMENT PRIMARY KEY, "
            f"session_id VARCHAR(255) NOT NULL, message_data LONGTEXT NOT NULL, created_at {now}, "
            f"INDEX (session_id, id), "
            f"FOREIGN KEY (session_id) REFERENCES {sessions} (session_id) ON DELETE CASCADE) "
            f"{engine}",
            f"CREATE TABLE IF NOT EXISTS {records} (id BIGINT AUTO_INCREMENT PRIMARY KEY, {names}, "
            f"payload LONGBLOB NOT NULL, created_at {now}, INDEX (session_id, name, id)) {engine}",
            f"CREATE TABLE IF NOT EXISTS {heads} ({names}, created_at {now}, updated_at {now}, "
            f"note LONGBLOB, {main_of}, PRIMARY KEY (session_id, name)) {engine}",
            f"CREATE TABLE IF NOT EXISTS {keys} ({names}, `key` VARCHAR(255) NOT NULL, "
            f"position BIGINT NOT NULL, {main_of}, PRIMARY KEY (session_id, name, `key`)) {engine}",
        ]

    def _insert(self, place: Place) -> str:
        names = ":session" if place.is_main else ":session, :name"
        return (
            f"INSERT INTO {place.records} ({place.columns}, {place.payload}, created_at) "
            f"VALUES ({names}, :payload, :created_at)"
        )

    def _created(self, db: Connection, log: Log) -> dict[str, object]:
        # The row's time, which only moves forward: so time sorts as position does.
        place = self.place(log)
        statement = text(f"SELECT updated_at FROM {place.row} WHERE {self.where(place)}")
        return {"created_at": db.execute(statement, self.at(log)).scalar()}


def _is_mariadb(db: Connection) -> bool:
    return bool(getattr(db.dialect, "is_mariadb", False))
