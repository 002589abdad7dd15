"""SQLite, on a driver that SQLAlchemy knows."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from sqlalchemy import Connection, TextClause, text

from turnlog.stores.sqlalchemy import moments
from turnlog.stores.sqlalchemy.transactional import Transactional
from turnlog.tables import Tables, quoted, sqlite_migrations

__all__ = ["SQLite"]


class SQLite(Transactional):
    """SQLite 3.24 and later; the very file that `turnlog.SQLiteSession` makes."""

    _touched = "ON CONFLICT ({0}) DO UPDATE SET updated_at = excluded.updated_at"
    _noted = (
        "ON CONFLICT (session_id, name) "
        "DO UPDATE SET updated_at = excluded.updated_at, note = excluded.note"
    )
    # The SDK's times have no fraction: padding makes all of them comparable as text.
    changed = "substr(coalesce(s.updated_at, s.created_at, '') || '.000000', 1, 26)"
    locks_all = True

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self.newest = len(sqlite_migrations(tables))
        self._last = 0

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
