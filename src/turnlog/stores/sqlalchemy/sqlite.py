"""SQLite, on a driver that SQLAlchemy knows."""

from __future__ import annotations

from sqlalchemy import Connection

from turnlog.stores.clock import as_text, now
from turnlog.stores.sqlalchemy.deletion import Deletion
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.payloads import TEXT_OR_BLOB
from turnlog.stores.sqlalchemy.schema_sqlite import in_transaction
from turnlog.stores.sqlalchemy.transactional import RowByRow, Templates
from turnlog.stores.tables import SQLITE_CHANGED, Tables

__all__ = ["SQLite"]

_MAKE = """
    INSERT INTO {sessions} (session_id, created_at, updated_at, {main_last}, {main_length})
    VALUES ({session}, {now}, {now}, 0, 0)
    ON CONFLICT (session_id) DO UPDATE SET """
_TEMPLATES = Templates(
    touch=_MAKE + "updated_at = excluded.updated_at",
    hold=_MAKE + "created_at = created_at",
    note_log="""
        INSERT INTO {logs} (session_id, name, last, length, created_at, updated_at, note)
        VALUES ({session}, {name}, {last}, {length}, {at}, {at}, x'')
        ON CONFLICT (session_id, name) DO UPDATE SET
            last = excluded.last, length = excluded.length, updated_at = excluded.updated_at
    """,
    move="UPDATE {sessions} SET updated_at = {now} WHERE session_id = {session}",
)


class SQLite(RowByRow):
    """SQLite 3.24 and later; the same file that `turnlog.SQLiteSession` makes."""

    locks_all = True

    _form = TEXT_OR_BLOB
    _begin = "BEGIN IMMEDIATE"
    _changed = SQLITE_CHANGED
    _templates = _TEMPLATES
    _at = ("{now}", "{now}")
    # Whole seconds, as the SDK writes them.
    _time = "coalesce(:time, CURRENT_TIMESTAMP)"

    def __init__(self, tables: Tables, layout: Layout) -> None:
        super().__init__(tables, layout)
        self._deletion = Deletion(self._shared)

    def delete(self, db: Connection, session: str, expect: int | None) -> None:
        self._deletion.delete(db, session, expect)

    def begin(self, db: Connection) -> None:
        # The engine may have begun one by an event: then the first statement, which is a write,
        # takes the lock.
        if not in_transaction(db):
            db.exec_driver_sql(self._begin)

    def _time_of(self, microseconds: int) -> str:
        return as_text(microseconds)

    def _now(self) -> dict[str, object]:
        return {"now": as_text(now())}

    def _time_of_records(self, _at: object) -> None:
        return None
