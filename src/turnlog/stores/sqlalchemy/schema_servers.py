"""Schema on database servers: PostgreSQL, MySQL and MariaDB.

Version 1 kept the heads of logs and the keys of appends in other tables. Other processes of that
version may be running while the schema is upgraded. So the upgrade first notes that it has begun
(version 2) and renames those tables. From then on such a process finds no table, looks at the
version, and raises `SchemaError`. An upgrade that breaks off is continued by the next one.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import Connection, inspect

from turnlog.errors import SchemaError
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.schema import Schema
from turnlog.stores.tables import filled

__all__ = ["ServerSchema", "Templates"]

_UPGRADING = 2
#: The upgrade stores the length of logs with more records than this. Shorter ones are counted when
#: their heads are read, until we next write to them.
_LONG = 1000

_RENAME = "ALTER TABLE {old} RENAME TO {moved}"
_DROP = "DROP TABLE {moved}"
_REFERENCE = """
    ALTER TABLE {records} ADD FOREIGN KEY (session_id)
    REFERENCES {sessions} (session_id) ON DELETE CASCADE
"""


class Templates(NamedTuple):
    """The statements of one kind of server."""

    sessions: str
    messages: str
    records: str
    logs: str
    writes: str
    #: The types of the columns that we add to the table of sessions.
    position: str
    note: str
    #: Moves what the table of heads of version 1 held, in this order; repeating them is fine.
    heads: tuple[str, ...]
    #: The same for the table of keys.
    keys: tuple[str, ...]
    #: Notes the length of logs "main" with more than `long` records.
    lengths: str


class ServerSchema(Schema):
    """The tables on a server."""

    newest = 3
    _templates: Templates

    def check_readable(self, layout: Layout, *, shared: bool) -> None:
        super().check_readable(layout, shared=shared)
        if layout.version == _UPGRADING:
            raise SchemaError(
                f"the tables of {self.tables.messages!r} are being upgraded: try again later. If "
                "no process is doing that, one broke off: `turnlog migrate --run` continues it"
            )

    @abstractmethod
    def _fragments(self, db: Connection, layout: Layout) -> Mapping[str, object]:
        """What fills the templates, besides the names of tables and columns."""

    @abstractmethod
    def _indexes(self, db: Connection, layout: Layout) -> list[str]:
        """Templates of the indexes that are missing."""

    @abstractmethod
    def _quoted(self, name: str) -> str:
        """`name` as this kind of SQL takes any name."""

    def _ddl(self, db: Connection, layout: Layout) -> list[str]:
        names = {
            **self.tables.names(self._quoted),
            "long": _LONG,
            "moved_heads": self._quoted(_moved(self.tables.old_heads)),
            "moved_keys": self._quoted(_moved(self.tables.old_keys)),
            **self._fragments(db, layout),
        }
        made = [*self._tables(db, layout), *self._columns(db, layout)]
        last = [*self._indexes(db, layout), *self._lengths(layout)]
        return [
            *(filled(template, names) for template in made),
            *(self._upgrade(db, layout, names) if layout.version else []),
            *(filled(template, names) for template in last),
        ]

    def _tables(self, db: Connection, layout: Layout) -> list[str]:
        """Templates of the tables that are missing."""
        # Each may be a transaction of its own: some may exist after a try that broke off.
        tables, templates = self.tables, self._templates
        ours = {
            tables.records: templates.records,
            tables.logs: templates.logs,
            tables.writes: templates.writes,
        }
        shared = {tables.sessions: templates.sessions, tables.messages: templates.messages}
        return [
            *(shared[table] for table in layout.missing),
            *(template for table, template in ours.items() if not self._has(db, table)),
        ]

    def _columns(self, db: Connection, layout: Layout) -> list[str]:
        """The template that adds our columns to the table of sessions."""
        tables = self.tables
        found = set[str]()
        if tables.sessions not in layout.missing:
            columns = inspect(db).get_columns(self._stored_name(tables.sessions))
            found = {str(column["name"]) for column in columns}
        types = {
            "main_last": self._templates.position,
            "main_length": self._templates.position,
            "main_note": self._templates.note,
        }
        added = [
            f"ADD COLUMN {{{role}}} {kind}"
            for role, kind in types.items()
            if self._stored_name(getattr(tables, role)) not in found
        ]
        return ["ALTER TABLE {sessions} " + ", ".join(added)] if added else []

    def _lengths(self, layout: Layout) -> list[str]:
        return [] if self.tables.messages in layout.missing else [self._templates.lengths]

    def _upgrade(self, db: Connection, layout: Layout, names: Mapping[str, object]) -> list[str]:
        """The statements that move what version 1 stored; fewer if an upgrade broke off."""
        templates, tables = self._templates, self.tables
        heads = self._table_moved(db, tables.old_heads, templates.heads, names)
        keys = self._table_moved(db, tables.old_keys, templates.keys, names)
        reference = [] if self._is_referring(db) else [filled(_REFERENCE, names)]
        first = [] if layout.version == _UPGRADING else [self._noting(_UPGRADING, layout)]
        return [
            *first,
            *heads.renamed,
            *keys.renamed,
            *heads.copied,
            *reference,
            *keys.copied,
            *keys.dropped,
            *heads.dropped,
        ]

    def _table_moved(
        self, db: Connection, old: str, copying: tuple[str, ...], names: Mapping[str, object]
    ) -> _Move:
        moved = _moved(old)
        is_old, is_moved = self._has(db, old), self._has(db, moved)
        both = {"old": self._quoted(old), "moved": self._quoted(moved)}
        here = is_old or is_moved
        return _Move(
            [filled(_RENAME, both)] if is_old else [],
            [filled(template, names) for template in copying] if here else [],
            [filled(_DROP, both)] if here else [],
        )

    def _is_referring(self, db: Connection) -> bool:
        """Whether records are deleted with their session."""
        records = self._stored_name(self.tables.records)
        return bool(inspect(db).get_foreign_keys(records))


class _Move(NamedTuple):
    """The statements that move the contents of a table of version 1."""

    renamed: list[str]
    copied: list[str]
    dropped: list[str]


def _moved(old: str) -> str:
    # Not longer: the end of a long name may be cut off.
    return old.replace("turnlog_", "turnold_", 1)
