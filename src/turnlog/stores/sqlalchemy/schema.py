"""Schema: which tables a database has, and the statements that bring them up to date."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from textwrap import dedent
from typing import Any

from sqlalchemy import Connection, inspect, text

from turnlog.errors import SchemaError
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.tables import Tables, check_version

__all__ = ["Schema"]


class Schema(ABC):
    """The tables of one kind of database: the shared ones, and ours beside them."""

    #: The newest version of the schema.
    newest: int

    _schema_table = """
        CREATE TABLE turnlog_schema (messages_table TEXT PRIMARY KEY, version INTEGER NOT NULL)
    """

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    def look(self, db: Connection) -> Layout:
        """Which tables the database has. Raises `SchemaError` for tables that can't be used."""
        version = self._version(db)
        shared = () if version else (self.tables.sessions, self.tables.messages)
        missing = tuple(table for table in shared if not self._has(db, table))
        if shared:
            self._check_shared(db)
        return Layout(version, missing, version == self.newest, **self._details(db))

    def check_readable(self, layout: Layout, *, shared: bool) -> None:
        """Raise `SchemaError` for tables that can't be read as they are.

        shared: missing shared tables are fine: the first write makes them.
        """
        if layout.missing and not shared:
            raise self._lacking(layout)

    def changes(self, db: Connection, *, shared: bool) -> list[str]:
        """The statements that bring the schema up to date; an empty list if it is.

        shared: make the two shared tables too. Without it they have to exist.
        """
        layout = self.look(db)
        if layout.is_current:
            return []
        if layout.missing and not shared:
            raise self._lacking(layout)
        first = [] if self._has(db, "turnlog_schema") else [dedent(self._schema_table).strip()]
        return [*first, *self._ddl(db, layout), self._noting(self.newest, layout)]

    def migrate(self, db: Connection, *, shared: bool) -> None:
        """Bring the schema up to date. Other processes may be doing the same meanwhile.

        shared: make the two shared tables too. Without it they have to exist.
        """
        with self._held(db):
            for statement in self.changes(db, shared=shared):
                db.execute(text(statement.replace(":", "\\:")))

    def denied(self, found: Layout) -> SchemaError:
        """The error for changes of the schema that this role has no right to make."""
        cure = "run the statements that `turnlog migrate` prints as a role that has it"
        if found.version:
            return SchemaError(
                f"writing needs schema version {self.newest} of the tables of "
                f"{self.tables.messages!r}. They have version {found.version}, and this role has "
                f"no right to change them: {cure}"
            )
        tables = self.tables
        ours = ("turnlog_schema", tables.records, tables.logs, tables.writes)
        names = ", ".join(dict.fromkeys((*found.missing, *ours)))
        return SchemaError(
            f"writing needs the tables {names}, and columns in {tables.sessions}. Some are "
            f"missing, and this role has no right to make them: {cure}"
        )

    @abstractmethod
    def _held(self, db: Connection) -> AbstractContextManager[None]:
        """Within the block, no other process changes the schema. Comes first in a transaction."""

    @abstractmethod
    def _ddl(self, db: Connection, layout: Layout) -> list[str]:
        """The statements that make what is missing, and move what older versions stored.

        Names in them are quoted; colons are not escaped.
        """

    def _check_shared(self, db: Connection) -> None:  # noqa: B027 - only MySQL has a reason to
        """Raise `SchemaError` for shared tables that others made and that can't be used."""

    def _details(self, db: Connection) -> dict[str, Any]:  # noqa: ARG002 - most have none
        """The fields of `Layout` that only this kind of database has."""
        return {}

    def _has(self, db: Connection, table: str) -> bool:
        return inspect(db).has_table(self._stored_name(table))

    def _stored_name(self, name: str) -> str:
        """`name` as the database stores it."""
        return name

    def _noting(self, version: int, found: Layout) -> str:
        """The statement that stores the version of the schema."""
        messages = "'" + self.tables.messages.replace("'", "''") + "'"
        if found.version:
            return (
                f"UPDATE turnlog_schema SET version = {version} WHERE messages_table = {messages}"
            )
        return (
            f"INSERT INTO turnlog_schema (messages_table, version) VALUES ({messages}, {version})"
        )

    def _lacking(self, layout: Layout) -> SchemaError:
        named = " and ".join(map(repr, layout.missing))
        return SchemaError(
            f"there is no table {named}: create_tables=True makes it, or your migrations; "
            "`turnlog migrate` prints the statements"
        )

    def _version(self, db: Connection) -> int:
        """The version of the schema on these tables, 0 if ours are not there yet.

        Raises `SchemaError` if it is newer than this code.
        """
        if not self._has(db, "turnlog_schema"):
            return 0
        found = db.execute(
            text("SELECT version FROM turnlog_schema WHERE messages_table = :messages"),
            {"messages": self.tables.messages},
        ).scalar()
        return check_version(self.tables, int(found or 0), self.newest)
