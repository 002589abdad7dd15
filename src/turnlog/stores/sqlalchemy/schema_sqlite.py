"""Schema on SQLite, in a file that `turnlog.SQLiteSession` opens too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, inspect

from turnlog.errors import SchemaError
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.schema import Schema
from turnlog.stores.tables import old_key_hash
from turnlog.stores.tables_sqlite import KEY_HASH, SQLITE_VERSION, sqlite_statements

__all__ = ["SQLiteSchema", "in_transaction"]


class SQLiteSchema(Schema):
    """The schema that `turnlog.SQLiteSession` makes too."""

    newest = SQLITE_VERSION

    _schema_table = """
        CREATE TABLE turnlog_schema
        (messages_table TEXT PRIMARY KEY COLLATE NOCASE, version INTEGER NOT NULL)
    """

    def look(self, db: Connection) -> Layout:
        self._check_unbranched(db)
        return super().look(db)

    def _check_unbranched(self, db: Connection) -> None:
        """Raise `SchemaError` if the SDK's AdvancedSQLiteSession keeps branches in the tables."""
        structure = "message_structure"
        if not self._has(db, structure):
            return
        owners = {key["referred_table"] for key in inspect(db).get_foreign_keys(structure)}
        if self.tables.folded[1] in {name.encode().lower() for name in owners}:
            raise SchemaError(
                f"the OpenAI Agents SDK's AdvancedSQLiteSession keeps all branches of a "
                f"conversation in the table {self.tables.messages!r} of this file, and here they "
                f"would be mixed: use turnlog.SQLiteSession, which knows them"
            )

    @contextmanager
    def _held(self, db: Connection) -> Iterator[None]:
        # A transaction that an event has begun may not have the lock, and could not get it
        # after a read.
        if in_transaction(db):
            db.exec_driver_sql("ROLLBACK")
        db.exec_driver_sql("BEGIN IMMEDIATE")
        driver: Any = db.connection.dbapi_connection
        driver.create_function(KEY_HASH, 2, old_key_hash)
        yield

    def _ddl(self, db: Connection, layout: Layout) -> list[str]:  # noqa: ARG002 - the statements look themselves
        return sqlite_statements(self.tables, layout.version)


def in_transaction(db: Connection) -> bool:
    """Whether the connection is in a transaction."""
    return bool(db.connection.driver_connection.in_transaction)  # type: ignore[union-attr] # it is connected
