"""SQLite, on a driver that SQLAlchemy knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, text

from turnlog.stores.clock import as_text, now
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.schema import Schema
from turnlog.stores.sqlalchemy.transactional import Templates, Transactional
from turnlog.stores.tables import SQLITE_CHANGED, Tables, filled
from turnlog.stores.tables_sqlite import SQLITE_VERSION, sqlite_statements

__all__ = ["SQLite", "SQLiteSchema"]

_TEMPLATES = Templates(
    touch="""
        INSERT INTO {row} ({columns}, created_at, updated_at) VALUES ({values}, :now, :now)
        ON CONFLICT ({columns}) DO UPDATE SET updated_at = excluded.updated_at
    """,
    insert="INSERT INTO {records} ({columns}, {payload}) VALUES ({values}, :payload)",
    annotate="""
        INSERT INTO {heads} (session_id, name, created_at, updated_at, note)
        VALUES (:session, :name, :now, :now, :note)
        ON CONFLICT (session_id, name)
        DO UPDATE SET updated_at = excluded.updated_at, note = excluded.note
    """,
    store_key="""
        INSERT INTO {keys} (session_id, name, key, position)
        VALUES (:session, :name, :key, :position)
    """,
)

# A trigger deletes the note and the keys of "main" with its row.
_DELETE_MAIN = (
    "DELETE FROM {messages} WHERE session_id = :session",
    "DELETE FROM {sessions} WHERE session_id = :session",
)
_DELETE_OTHER = tuple(
    f"DELETE FROM {{{table}}} WHERE session_id = :session AND name = :name"
    for table in ("records", "keys", "heads")
)
_DELETE_ALL = (
    *_DELETE_MAIN,
    *(
        f"DELETE FROM {{{table}}} WHERE session_id = :session"
        for table in ("records", "keys", "heads")
    ),
)


class SQLite(Transactional):
    """SQLite 3.24 and later; the same file that `turnlog.SQLiteSession` makes."""

    locks_all = True

    _begin = "BEGIN IMMEDIATE"
    _changed = SQLITE_CHANGED
    _templates = _TEMPLATES

    def __init__(self, tables: Tables, layout: Layout) -> None:
        super().__init__(tables, layout)
        self._delete_main, self._delete_other, self._delete_all = (
            [text(filled(each, self._names)) for each in templates]
            for templates in (_DELETE_MAIN, _DELETE_OTHER, _DELETE_ALL)
        )

    def delete(self, db: Connection, session: str, name: str | None) -> None:
        # The first statement takes the one lock that there is.
        if name is None:
            statements = self._delete_all
        else:
            statements = self._delete_main if name == "main" else self._delete_other
        for statement in statements:
            db.execute(statement, {"session": session, "name": name})

    def begin(self, db: Connection) -> None:
        # The engine may have begun one by an event; otherwise the first write does.
        if not _in_transaction(db):
            super().begin(db)

    def _time_of(self, microseconds: int) -> str:
        return as_text(microseconds)

    def _now(self) -> dict[str, object]:
        return {"now": as_text(now())}


class SQLiteSchema(Schema):
    """The schema that `turnlog.SQLiteSession` makes too."""

    _schema_table = """
        CREATE TABLE turnlog_schema
        (messages_table TEXT PRIMARY KEY COLLATE NOCASE, version INTEGER NOT NULL)
    """

    def __init__(self, tables: Tables) -> None:
        super().__init__(tables)
        self.newest = SQLITE_VERSION

    @contextmanager
    def _held(self, db: Connection) -> Iterator[None]:
        # A transaction that an event has begun may not have the lock, and could not get it
        # after a read.
        if _in_transaction(db):
            db.exec_driver_sql("ROLLBACK")
        db.exec_driver_sql("BEGIN IMMEDIATE")
        yield

    def _ddl(self, db: Connection, missing: Sequence[str]) -> list[str]:  # noqa: ARG002 - the statements look themselves
        return sqlite_statements(self.tables, 0)


def _in_transaction(db: Connection) -> bool:
    return bool(db.connection.driver_connection.in_transaction)  # type: ignore[union-attr] # it is connected
