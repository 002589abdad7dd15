"""SQLite, on a driver that SQLAlchemy knows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import Connection, TextClause, text

from turnlog.stores.sqlalchemy import moments
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.transactional import Transactional
from turnlog.stores.tables import Tables, quoted, sqlite_migrations

__all__ = ["SQLite"]


class SQLite(Transactional):
    """SQLite 3.24 and later; the very file that `turnlog.SQLiteSession` makes."""

    _touched = "ON CONFLICT ({0}) DO UPDATE SET updated_at = excluded.updated_at"
    _noted = (
        "ON CONFLICT (session_id, name) "
        "DO UPDATE SET updated_at = excluded.updated_at, note = excluded.note"
    )
    locks_all = True
    _schema_table = (
        "CREATE TABLE turnlog_schema "
        "(messages_table TEXT PRIMARY KEY COLLATE NOCASE, version INTEGER NOT NULL)"
    )

    def __init__(self, tables: Tables, layout: Layout) -> None:
        super().__init__(tables, layout)
        self.newest = len(sqlite_migrations(tables))
        self._last = 0

    @property
    def changed(self) -> str:
        # The SDK's times have no fraction: padding makes all of them comparable as text.
        return "substr(coalesce(s.updated_at, s.created_at, '') || '.000000', 1, 26)"

    def quoted(self, name: str) -> str:
        return quoted(name).replace(":", "\\:")

    def time_of(self, moment: float) -> str:
        return moments.instant(moment).isoformat(" ", "microseconds")

    def delete(self, db: Connection, session: str, name: str | None) -> None:
        # The first statement takes the one lock that there is.
        for statement in self._deletions(name):
            db.execute(statement, {"session": session, "name": name})

    def _deletions(self, name: str | None) -> list[TextClause]:
        here = "session_id = :session"
        # What else there is of "main" goes with its row, by a trigger.
        main = [self.main.records, self.main.row] if name in {None, "main"} else []
        others = (
            []
            if name == "main"
            else [self.other.records, self.other.row, self.quoted(self.tables.keys)]
        )
        named = "" if name is None else " AND name = :name"
        return [
            *(text(f"DELETE FROM {table} WHERE {here}") for table in main),
            *(text(f"DELETE FROM {table} WHERE {here}{named}") for table in others),
        ]

    def begin(self, db: Connection) -> None:
        # The engine may have begun one by an event; else the first write does.
        if self.commits_at_once(db) and not db.connection.driver_connection.in_transaction:  # type: ignore[union-attr] # it is connected
            db.exec_driver_sql("BEGIN IMMEDIATE")

    @contextmanager
    def hold_schema(self, db: Connection) -> Iterator[None]:
        # What an event has begun may not have the lock, and could not get it after a look.
        if db.connection.driver_connection.in_transaction:  # type: ignore[union-attr] # see begin
            db.exec_driver_sql("ROLLBACK")
        db.exec_driver_sql("BEGIN IMMEDIATE")
        yield

    def ddl(self, db: Connection, missing: Sequence[str]) -> list[str]:  # noqa: ARG002 - the statements look themselves
        return [each for change in sqlite_migrations(self.tables) for each in change]

    def _now(self) -> dict[str, object]:
        # Never the same time twice: lists of sessions page by it.
        self._last = max(time.time_ns() // 1000, self._last + 1)
        moment = datetime.fromtimestamp(self._last // 1_000_000, UTC).replace(tzinfo=None)
        return {"now": f"{moment.isoformat(' ')}.{self._last % 1_000_000:06d}"}
