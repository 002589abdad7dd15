"""The schema: what of it is there, and the statements that make what is missing."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, inspect, text

from turnlog.errors import SchemaError
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.tables import Tables

__all__ = ["Schema"]


class Schema:
    """The tables of one kind of database."""

    tables: Tables
    layout: Layout

    @abstractmethod
    def hold_schema(self, db: Connection) -> AbstractContextManager[None]:
        """Keep others from changing the schema meanwhile. The first in its transaction."""

    @abstractmethod
    def ddl(self, db: Connection, missing: Sequence[str]) -> list[str]:
        """The statements that make the `missing` shared tables, and ours.

        Names in it are quoted, and nothing is escaped.
        """

    def check_shared(self, db: Connection) -> None:
        """Raise `SchemaError` for shared tables that strangers made, and that can't be used."""

    def details(self, db: Connection) -> dict[str, Any]:  # noqa: ARG002 - most have none
        """What else a `Layout` tells of this kind of database."""
        return {}

    def look(self, db: Connection) -> Layout:
        """What the database holds. Raises `SchemaError` for what can't be used."""
        version = self.version(db) if self._has(db, "turnlog_schema") else 0
        shared = () if version else (self.tables.sessions, self.tables.messages)
        missing = tuple(table for table in shared if not self._has(db, table))
        if shared:
            self.check_shared(db)
        return Layout(version, missing, **self.details(db))

    def changes(self, db: Connection, *, shared: bool) -> list[str]:
        """The statements that bring the schema up to date; none if it is.

        shared: the two shared tables may be among them; without it they have to be there.
        """
        layout = self.look(db)
        if layout.version == self.newest:
            return []
        if layout.missing and not shared:
            raise self.lacking(layout.missing)
        first = [] if self._has(db, "turnlog_schema") else [self._schema_table]
        messages = self.tables.messages.replace("'", "''")
        last = (
            "INSERT INTO turnlog_schema (messages_table, version) "
            f"VALUES ('{messages}', {self.newest})"
        )
        return [*first, *self.ddl(db, layout.missing), last]

    _schema_table = (
        "CREATE TABLE turnlog_schema (messages_table TEXT PRIMARY KEY, version INTEGER NOT NULL)"
    )

    def migrate(self, db: Connection, *, shared: bool) -> None:
        """Bring the schema up to date. Others may be doing the same at the same time.

        shared: makes the two shared tables too; without it they have to be there.
        """
        with self.hold_schema(db):
            for statement in self.changes(db, shared=shared):
                db.execute(text(statement.replace(":", "\\:")))

    def lacking(self, missing: Sequence[str]) -> SchemaError:
        """What to raise where the `missing` shared tables have to be there."""
        named = " and ".join(map(repr, missing))
        return SchemaError(
            f"there is no table {named}: create_tables=True makes it, or your migrations; "
            "`turnlog migrate` prints the statements"
        )

    def denied(self) -> SchemaError:
        """What to raise where the tables can't be made for want of rights."""
        tables = self.tables
        ours = ("turnlog_schema", tables.records, tables.heads, tables.keys)
        names = ", ".join(dict.fromkeys((*self.layout.missing, *ours)))
        return SchemaError(
            f"writing needs the tables {names}, which are not all there, and this role may not "
            "make them: run the statements that `turnlog migrate` prints as one that may"
        )

    def _has(self, db: Connection, table: str) -> bool:
        return inspect(db).has_table(table)

    def version(self, db: Connection) -> int:
        """The version of the schema on these tables, 0 if they are not ours yet.

        Raises `SchemaError` if it is ahead of us.
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

    #: The newest version of the schema.
    newest = 1
