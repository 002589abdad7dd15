"""Structure: whether the SDK's AdvancedSQLiteSession keeps its tables in a file, beside ours.

That class keeps all branches in the table of messages, and says in "message_structure" which
message is on which branch. The tables of that class belong to one pair of shared tables, which
their foreign keys name.
"""

from __future__ import annotations

import sqlite3
from typing import Literal, NamedTuple, TypeAlias

from turnlog.stores.sqlite.connections import Connection
from turnlog.stores.tables import Tables

__all__ = ["Owner", "Structure", "forget_structure", "known_structure", "owner_of", "structure_of"]


class Structure(NamedTuple):
    """Facts about a file whose structure tables belong to our pair of tables."""

    #: Versions of the SDK before 0.24 don't keep the names of branches.
    has_reservations: bool
    #: Whether our first commit has made what we need beside these tables.
    is_shared: bool


class Owner(NamedTuple):
    """The pair of tables that "message_structure" belongs to, as its foreign keys name them."""

    sessions: str
    messages: str

    def is_pair(self, tables: Tables) -> bool:
        """Whether it is the pair `tables`: SQLite ignores the case of ASCII letters alone."""
        folded = (self.sessions.encode().lower(), self.messages.encode().lower())
        return folded == tables.folded


#: None: no structure tables. "unclear": tables that don't name exactly one pair.
_Found: TypeAlias = Owner | Literal["unclear"] | None


def owner_of(db: sqlite3.Connection) -> _Found:
    """Whose the structure tables in the file are."""
    found = db.execute(
        """
        SELECT f."from", f."table" FROM sqlite_master m, pragma_foreign_key_list(m.name) f
        WHERE m.type = 'table' AND m.name = 'message_structure' COLLATE NOCASE
        """
    ).fetchall()
    keys = sorted((_text(column).lower(), _text(table)) for column, table in found)
    if not keys:
        return "unclear" if _has(db, "message_structure") else None
    if [column for column, _ in keys] != ["message_id", "session_id"]:
        return "unclear"
    return Owner(messages=keys[0][1], sessions=keys[1][1])


def structure_of(cursor: sqlite3.Cursor, tables: Tables) -> Structure | None:
    """What the file has now for `tables`; it is looked up again when the schema has changed."""
    structures = _structures(cursor)
    [version] = cursor.execute("PRAGMA schema_version").fetchone()
    known = structures.get(tables)
    if known is None or known[0] != version:
        known = structures[tables] = version, _look(cursor.connection, tables)
    return known[1]


def known_structure(cursor: sqlite3.Cursor, tables: Tables) -> Structure | None:
    """The same as of the last look, if there was one."""
    known = _structures(cursor).get(tables)
    return structure_of(cursor, tables) if known is None else known[1]


def forget_structure(cursor: sqlite3.Cursor) -> None:
    """Look again next time: the schema goes back to a version that it has had."""
    _structures(cursor).clear()


def _structures(cursor: sqlite3.Cursor) -> dict[Tables, tuple[int, Structure | None]]:
    """For each pair of tables: the version of the schema, as SQLite counts it, and what it had."""
    db = cursor.connection
    assert isinstance(db, Connection)  # noqa: S101 - the engine opens no others
    return db.structures


def _look(db: sqlite3.Connection, tables: Tables) -> Structure | None:
    owner = owner_of(db)
    if not isinstance(owner, Owner) or not owner.is_pair(tables):
        return None
    return Structure(_has(db, "branch_reservations"), _has(db, tables.adopted))


def _has(db: sqlite3.Connection, table: str) -> bool:
    found = db.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE", (table,)
    )
    return found.fetchone() is not None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
