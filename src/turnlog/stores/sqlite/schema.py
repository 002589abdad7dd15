"""Schema: how far a file has our tables, and bringing it up to date."""

from __future__ import annotations

import sqlite3
from enum import Enum

from turnlog.stores.tables import Tables, check_version, old_key_hash
from turnlog.stores.tables_sqlite import (
    KEY_HASH,
    SQLITE_VERSION,
    guard_statements,
    sqlite_statements,
)
from turnlog.stores.tables_structure import guard_name

__all__ = ["State", "is_ready", "migrate", "state_of"]


class State(Enum):
    """States of a file, by the tables that it has."""

    EMPTY = "none of the tables"
    FOREIGN = "the two shared tables, as the SDK makes them"
    OLD = "an older schema"
    CURRENT = "the schema of this version"


def state_of(db: sqlite3.Connection, tables: Tables) -> State:
    """Which tables the file has. Raises `SchemaError` for a schema newer than this code."""
    version = _version(db, tables)
    if version:
        return State.CURRENT if version == SQLITE_VERSION else State.OLD
    names = (tables.sessions.lower(), tables.messages.lower())
    shared = db.execute(
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND lower(name) IN (?, ?)", names
    ).fetchone()
    return State.FOREIGN if shared == (2,) else State.EMPTY


def is_ready(db: sqlite3.Connection, tables: Tables) -> bool:
    """Whether our commits can be made in the file as it is.

    The first files of this version have no guard: `turnlog.stores.tables_structure` says what
    that is.
    """
    return state_of(db, tables) is State.CURRENT and _has(db, guard_name(tables.messages))


def migrate(db: sqlite3.Connection, tables: Tables) -> None:
    """Bring the schema up to date, inside the caller's transaction.

    Raises `SchemaError` for a schema newer than this code.
    """
    version = _version(db, tables)
    if version == SQLITE_VERSION:  # perhaps another process has done it meanwhile
        for statement in guard_statements(tables):
            db.execute(statement)
        return
    db.create_function(KEY_HASH, 2, old_key_hash, deterministic=True)
    for statement in sqlite_statements(tables, version):
        db.execute(statement)
    db.execute(
        "CREATE TABLE IF NOT EXISTS turnlog_schema "
        "(messages_table TEXT PRIMARY KEY COLLATE NOCASE, version INTEGER NOT NULL)"
    )
    db.execute(
        "INSERT OR REPLACE INTO turnlog_schema (messages_table, version) VALUES (?, ?)",
        (tables.messages, SQLITE_VERSION),
    )


def _has(db: sqlite3.Connection, name: str) -> bool:
    found = db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,)).fetchone()
    return found is not None


def _version(db: sqlite3.Connection, tables: Tables) -> int:
    """The version of the schema on these tables, 0 if ours are not there yet."""
    if not _has(db, "turnlog_schema"):
        return 0
    row = db.execute(
        "SELECT version FROM turnlog_schema WHERE messages_table = ?", (tables.messages,)
    ).fetchone()
    return check_version(tables, int(row[0]) if row else 0, SQLITE_VERSION)
