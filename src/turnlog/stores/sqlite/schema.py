"""Every statement that runs on the tables, and how far a file has them.

Times are text in UTC. `created_at` has whole seconds, as the SDK writes them;
`updated_at` has microseconds, which the SDK neither reads nor minds.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from turnlog.errors import SchemaError
from turnlog.records import Log
from turnlog.stores.tables import Tables, quoted, sqlite_migrations

__all__ = [
    "ROWS_AT_ONCE",
    "LogStatements",
    "State",
    "Statements",
    "migrate",
    "state_of",
    "statements_for",
]


#: How many rows one statement inserts at most; most batches are smaller.
ROWS_AT_ONCE = 16


class State(Enum):
    """How far a file is ours."""

    EMPTY = "none of the tables"
    FOREIGN = "the two shared tables, as the SDK makes them"
    OLD = "an older schema"
    CURRENT = "the schema of this version"


@lru_cache(maxsize=64)  # sessions are made per request, and mostly on the same tables
def statements_for(tables: Tables) -> Statements:
    """The statements that run on `tables`."""
    return Statements(tables)


class Statements:
    """SQL for one pair of tables, written out once."""

    def __init__(self, tables: Tables) -> None:
        sessions, messages = quoted(tables.sessions), quoted(tables.messages)
        records, heads, keys = map(quoted, (tables.records, tables.heads, tables.keys))

        #: The log "main" lies in the SDK's tables, where the session id alone names it.
        self.main = LogStatements(
            touch=(
                f"INSERT INTO {sessions} (session_id, created_at, updated_at) VALUES (?, ?, ?) "
                "ON CONFLICT (session_id) DO UPDATE SET updated_at = excluded.updated_at"
            ),
            forget=f"DELETE FROM {sessions} WHERE session_id = ?",
            insert=_inserts(f"INSERT INTO {messages} (session_id, message_data) VALUES", 1),
            last=f"SELECT max(id) FROM {messages} WHERE session_id = ?",
            read=(
                f"SELECT id, message_data, created_at FROM {messages} "
                "WHERE session_id = ? AND id > ? AND id < ? ORDER BY id"
            ),
            remove=f"DELETE FROM {messages} WHERE session_id = ? AND id > ? AND id < ?",
            clear=f"DELETE FROM {messages} WHERE session_id = ?",
            stored=_as_text,
        )
        #: Every other log lies in ours, where session id and name name it.
        self.other = LogStatements(
            touch=(
                f"INSERT INTO {heads} (session_id, name, created_at, updated_at) "
                "VALUES (?, ?, ?, ?) ON CONFLICT (session_id, name) "
                "DO UPDATE SET updated_at = excluded.updated_at"
            ),
            forget=f"DELETE FROM {heads} WHERE session_id = ? AND name = ?",
            insert=_inserts(f"INSERT INTO {records} (session_id, name, payload) VALUES", 2),
            last=f"SELECT max(id) FROM {records} WHERE session_id = ? AND name = ?",
            read=(
                f"SELECT id, payload, created_at FROM {records} "
                "WHERE session_id = ? AND name = ? AND id > ? AND id < ? ORDER BY id"
            ),
            remove=(
                f"DELETE FROM {records} WHERE session_id = ? AND name = ? AND id > ? AND id < ?"
            ),
            clear=f"DELETE FROM {records} WHERE session_id = ? AND name = ?",
            stored=bytes,
        )

        self.find_key = f"SELECT position FROM {keys} WHERE session_id = ? AND name = ? AND key = ?"
        self.store_key = f"INSERT INTO {keys} (session_id, name, key, position) VALUES (?, ?, ?, ?)"
        self.annotate = (
            f"INSERT INTO {heads} (session_id, name, created_at, updated_at, note) "
            "VALUES (?1, ?2, ?3, ?3, ?4) ON CONFLICT (session_id, name) "
            "DO UPDATE SET updated_at = excluded.updated_at, note = excluded.note"
        )
        self.delete_head = f"DELETE FROM {heads} WHERE session_id = ? AND name = ?"
        self.delete_keys = f"DELETE FROM {keys} WHERE session_id = ? AND name = ?"
        self.delete_session = tuple(
            f"DELETE FROM {table} WHERE session_id = ?"
            for table in (messages, records, heads, keys, sessions)
        )

        # The log "main" exists as its row in the sessions table does; only its note, if
        # any, lies in ours. Columns come out in the order of `Head`. The SDK's times have
        # no fraction: padding makes all of them comparable as text.
        changed = _padded("s.updated_at", "s.created_at")
        main_heads = (
            f"SELECT s.session_id, 'main', "
            f"coalesce((SELECT max(id) FROM {messages} m WHERE m.session_id = s.session_id), 0), "
            f"(SELECT count(*) FROM {messages} m WHERE m.session_id = s.session_id), "
            f"s.created_at, {changed} AS changed, "
        )
        noted = (
            f"coalesce((SELECT h.note FROM {heads} h "
            f"WHERE h.session_id = s.session_id AND h.name = 'main'), x'') FROM {sessions} s "
        )
        self.heads = (
            f"{main_heads} {noted} WHERE s.session_id = ?1 UNION ALL "
            f"SELECT h.session_id, h.name, "
            f"coalesce((SELECT max(id) FROM {records} r "
            f"WHERE r.session_id = h.session_id AND r.name = h.name), 0), "
            f"(SELECT count(*) FROM {records} r "
            f"WHERE r.session_id = h.session_id AND r.name = h.name), "
            f"h.created_at, h.updated_at, h.note "
            f"FROM {heads} h WHERE h.session_id = ?1 AND h.name <> 'main' ORDER BY 2"
        )
        # The page is found before anything is counted for it.
        page = (
            f"WHERE s.rowid IN ("
            f"SELECT s.rowid FROM {sessions} s "
            f"WHERE s.session_id >= ?1 AND (?2 IS NULL OR s.session_id < ?2) "
            f"AND ({changed}, s.session_id) < (?3, ?4) "
            f"ORDER BY {changed} DESC, s.session_id DESC LIMIT ?5) "
            f"ORDER BY changed DESC, s.session_id DESC"
        )
        self.sessions = f"{main_heads} {noted} {page}"
        # The same on a file that was never written by us, and is not changed by looking.
        bare = f"x'' FROM {sessions} s "
        self.foreign_heads = f"{main_heads} {bare} WHERE s.session_id = ?1"
        self.foreign_sessions = f"{main_heads} {bare} {page}"

    def place(self, log: Log) -> tuple[LogStatements, tuple[str, ...]]:
        """The statements for `log`, and the parameters that name it in each."""
        if log.name == "main":
            return self.main, (log.session,)
        return self.other, (log.session, log.name)


class LogStatements(NamedTuple):
    """SQL on one log; its first parameters name the log."""

    touch: str  # created_at, updated_at
    forget: str
    insert: tuple[str, ...]  # by the number of payloads; each as `stored` makes it
    last: str
    read: str  # after, before
    remove: str  # after, before
    clear: str
    stored: Callable[[bytes], str | bytes]


def _inserts(head: str, names: int) -> tuple[str, ...]:
    """The statement that inserts N rows, at place N; the first parameters name the log."""
    at = ", ".join(f"?{number + 1}" for number in range(names))
    rows = [f"({at}, ?{names + row + 1})" for row in range(ROWS_AT_ONCE)]
    return tuple(f"{head} {', '.join(rows[:count])}" for count in range(ROWS_AT_ONCE + 1))


def _as_text(payload: bytes) -> str | bytes:
    # Text, as the SDK writes it. What is no text stays a blob: as broken text it would
    # keep the SDK from reading anything of the session.
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return payload


def _padded(*columns: str) -> str:
    """The first of `columns` that is set, as text with microseconds."""
    return f"substr(coalesce({', '.join(columns)}, '') || '.000000', 1, 26)"


def state_of(db: sqlite3.Connection, tables: Tables) -> State:
    """How far the file is ours. Raises `SchemaError` if it is ahead of us."""
    version = _version(db, tables)
    if version:
        return State.CURRENT if version == len(sqlite_migrations(tables)) else State.OLD
    names = (tables.sessions.lower(), tables.messages.lower())
    shared = db.execute(
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND lower(name) IN (?, ?)", names
    ).fetchone()
    return State.FOREIGN if shared == (2,) else State.EMPTY


def migrate(db: sqlite3.Connection, tables: Tables) -> None:
    """Bring the schema up to date, inside the caller's transaction.

    Raises `SchemaError` if it is ahead of us.
    """
    migrations = sqlite_migrations(tables)
    for statement in (s for migration in migrations[_version(db, tables) :] for s in migration):
        db.execute(statement)
    db.execute(
        "CREATE TABLE IF NOT EXISTS turnlog_schema "
        "(messages_table TEXT PRIMARY KEY COLLATE NOCASE, version INTEGER NOT NULL)"
    )
    db.execute(
        "INSERT OR REPLACE INTO turnlog_schema (messages_table, version) VALUES (?, ?)",
        (tables.messages, len(migrations)),
    )


def _version(db: sqlite3.Connection, tables: Tables) -> int:
    """The version of the schema on these tables, 0 if they are not ours yet."""
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'turnlog_schema'").fetchone():
        return 0
    row = db.execute(
        "SELECT version FROM turnlog_schema WHERE messages_table = ?", (tables.messages,)
    ).fetchone()
    version = int(row[0]) if row else 0
    if version > len(sqlite_migrations(tables)):
        raise SchemaError(
            f"the tables of {tables.messages!r} have schema version {version}, and this "
            f"turnlog knows versions up to {len(sqlite_migrations(tables))}: upgrade turnlog"
        )
    return version
