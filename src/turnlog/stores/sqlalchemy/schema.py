"""Schema: which tables a database has, and the statements that make the missing ones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from textwrap import dedent
from typing import Any

from sqlalchemy import Connection, inspect, text

from turnlog.errors import SchemaError
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.tables import Tables

__all__ = ["Schema"]


class Schema(ABC):
    """The tables of one kind of database: the shared ones, and ours beside them."""

    #: The newest version of the schema.
    newest = 1

    _schema_table = """
        CREATE TABLE turnlog_schema (messages_table TEXT PRIMARY KEY, version INTEGER NOT NULL)
    """

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    def look(self, db: Connection) -> Layout:
        """Which tables the database has. Raises `SchemaError` for tables that can't be used."""
        version = self._version(db) if self._has(db, "turnlog_schema") else 0
        shared = () if version else (self.tables.sessions, self.tables.messages)
        missing = tuple(table for table in shared if not self._has(db, table))
        if shared:
            self._check_shared(db)
        return Layout(version, missing, **self._details(db))

    def changes(self, db: Connection, *, shared: bool) -> list[str]:
        """The statements that bring the schema up to date; an empty list if it is.

        shared: make the two shared tables too. Without it they have to exist.
        """
        layout = self.look(db)
        if layout.version == self.newest:
            return []
        if layout.missing and not shared:
            raise self.lacking(layout.missing)
        first = [] if self._has(db, "turnlog_schema") else [dedent(self._schema_table).strip()]
        messages = self.tables.messages.replace("'", "''")
        last = (
            "INSERT INTO turnlog_schema (messages_table, version) "
            f"VALUES ('{messages}', {self.newest})"
        )
        return [*first, *self._ddl(db, layout.missing), last]

    def migrate(self, db: Connection, *, shared: bool) -> None:
        """Bring the schema up to date. Other processes may be doing the same meanwhile.

        shared: make the two shared tables too. Without it they have to exist.
        """
        with self._held(db):
            for statement in self.changes(db, shared=shared):
                db.execute(text(statement.replace(":", "\\:")))

    def lacking(self, missing: Sequence[str]) -> SchemaError:
        """The error for shared tables that are missing and may not be made."""
        named = " and ".join(map(repr, missing))
        return SchemaError(
            f"there is no table {named}: create_tables=True makes it, or your migrations; "
            "`turnlog migrate` prints the statements"
        )

    def denied(self, missing: Sequence[str]) -> SchemaError:
        """The error for tables that this role has no right to make."""
        tables = self.tables
        ours = ("turnlog_schema", tables.records, tables.heads, tables.keys)
        names = ", ".join(dict.fromkeys((*missing, *ours)))
        return SchemaError(
            f"writing needs the tables {names}. Some are missing, and this role has no right to "
            "make them: run the statements that `turnlog migrate` prints as a role that has it"
        )

    @abstractmethod
    def _held(self, db: Connection) -> AbstractContextManager[None]:
        """Within the block, no other process changes the schema. Comes first in a transaction."""

    @abstractmethod
    def _ddl(self, db: Connection, missing: Sequence[str]) -> list[str]:
        """The statements that make the `missing` shared tables, and ours.

        Names in them are quoted; colons are not escaped.
        """

    def _check_shared(self, db: Connection) -> None:  # noqa: B027 - only MySQL has a reason to
        """Raise `SchemaError` for shared tables that others made and that can't be used."""

    def _details(self, db: Connection) -> dict[str, Any]:  # noqa: ARG002 - most have none
        """The fields of `Layout` that only this kind of database has."""
        return {}

    def _has(self, db: Connection, table: str) -> bool:
        return inspect(db).has_table(table)

    def _version(self, db: Connection) -> int:
        """The version of the schema on these tables, 0 if ours are not there yet.

        Raises `SchemaError` if it is newer than this code.
        """
        found = db.execute(
            text("SELECT version FROM turnlog_schema WHERE messages_table = :messages"),
            {"messages": self.tables.messages},
        ).scalar()
        version = int(found or 0)
        if version > self.newest:
            raise SchemaError(
                f"the tables of {self.tables.messages!r} have schema version {version}, and this "
                f"turnlog knows versions up to {self.newest}: upgrade turnlog"
            )
        return version
