"""The schema on SQLite, for both stores that keep their tables in such a file."""

from __future__ import annotations

from collections.abc import Mapping

from turnlog.stores.tables import SQLITE_CHANGED, Tables, filled, quoted
from turnlog.stores.tables_structure import GUARD, guard_name

__all__ = ["KEY_HASH", "SQLITE_VERSION", "guard_statements", "sqlite_statements"]

#: The version of the schema.
SQLITE_VERSION = 2

#: The SQL function that the upgrade from version 1 calls: `old_key_hash`, with two arguments.
KEY_HASH = "turnlog_old_key_hash"

#: The upgrade stores the length of logs with more records than this.
_LONG = 1000

_SHARED = (
    """
    CREATE TABLE IF NOT EXISTS {sessions} (
        session_id TEXT PRIMARY KEY,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)
    """,
    """
    CREATE TABLE IF NOT EXISTS {messages} (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        session_id TEXT NOT NULL,
        message_data TEXT NOT NULL,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        FOREIGN KEY (session_id) REFERENCES {sessions} (session_id) ON DELETE CASCADE)
    """,
    "CREATE INDEX IF NOT EXISTS {messages_index} ON {messages} (session_id, id)",
)
_RECORDS = (
    """
    CREATE TABLE {records} (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        session_id TEXT NOT NULL,
        name TEXT NOT NULL,
        payload BLOB NOT NULL,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)
    """,
    "CREATE INDEX {records_index} ON {records} (session_id, name, id)",
)
_OURS = (
    "ALTER TABLE {sessions} ADD COLUMN {main_last} INTEGER",
    "ALTER TABLE {sessions} ADD COLUMN {main_length} INTEGER",
    "ALTER TABLE {sessions} ADD COLUMN {main_note} BLOB",
    """
    CREATE TABLE {logs} (
        session_id TEXT NOT NULL,
        name TEXT NOT NULL,
        last INTEGER NOT NULL,
        length INTEGER NOT NULL,
        created_at TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        note BLOB NOT NULL,
        PRIMARY KEY (session_id, name)) WITHOUT ROWID
    """,
    """
    CREATE TABLE {writes} (
        session_id TEXT NOT NULL,
        day INTEGER NOT NULL,
        hash BLOB NOT NULL,
        digest BLOB NOT NULL,
        positions TEXT NOT NULL,
        PRIMARY KEY (session_id, day, hash)) WITHOUT ROWID
    """,
)
_FROM_VERSION_1 = (
    """
    INSERT OR IGNORE INTO {sessions} (session_id, created_at, updated_at)
    SELECT session_id, min(created_at), max(updated_at)
    FROM {old_heads} WHERE name <> 'main' GROUP BY session_id
    """,
    """
    UPDATE {sessions} SET {main_note} = (
        SELECT h.note FROM {old_heads} h
        WHERE h.session_id = {sessions}.session_id AND h.name = 'main')
    WHERE session_id IN (SELECT session_id FROM {old_heads} WHERE name = 'main')
    """,
    """
    INSERT INTO {logs} (session_id, name, last, length, created_at, updated_at, note)
    SELECT h.session_id, h.name, coalesce(max(r.id), 0), count(r.id),
        h.created_at, h.updated_at, h.note
    FROM {old_heads} h
    LEFT JOIN {records} r ON r.session_id = h.session_id AND r.name = h.name
    WHERE h.name <> 'main' GROUP BY h.session_id, h.name
    """,
    """
    INSERT INTO {writes} (session_id, day, hash, digest, positions)
    SELECT session_id, 0, {key_hash}(name, key), x'', CAST(position AS TEXT) FROM {old_keys}
    """,
    "DROP TRIGGER {forgotten}",
    "DROP TABLE {old_heads}",
    "DROP TABLE {old_keys}",
)
_LAST = (
    # Short logs are counted when they are read, until we next write to them.
    """
    UPDATE {sessions} SET
        {main_last} = (
            SELECT max(m.id) FROM {messages} m WHERE m.session_id = {sessions}.session_id),
        {main_length} = (
            SELECT count(*) FROM {messages} m WHERE m.session_id = {sessions}.session_id)
    WHERE session_id IN (
        SELECT session_id FROM {messages} GROUP BY session_id HAVING count(*) > {long})
    """,
    "CREATE INDEX IF NOT EXISTS {sessions_index} ON {sessions} ({changed}, session_id)",
    # Triggers, because others delete too: the SDK, and people with a statement of their own.
    """
    CREATE TRIGGER {forgotten} AFTER DELETE ON {sessions} BEGIN
        DELETE FROM {messages} WHERE session_id = old.session_id;
        DELETE FROM {records} WHERE session_id = old.session_id;
        DELETE FROM {logs} WHERE session_id = old.session_id;
        DELETE FROM {writes} WHERE session_id = old.session_id;
    END
    """,
    # Others may remove a record from the middle of a log, which its last record doesn't show. Our
    # own commits store the new length after their removals.
    """
    CREATE TRIGGER {removed} AFTER DELETE ON {messages} BEGIN
        UPDATE {sessions} SET {main_length} = NULL
        WHERE session_id = old.session_id AND {main_length} IS NOT NULL;
    END
    """,
)


def sqlite_statements(tables: Tables, version: int) -> list[str]:
    """The statements that bring a file of schema `version` up to date.

    version: 0 for a file without our tables. From 1, the connection needs the function
        `KEY_HASH`.
    """
    before = _FROM_VERSION_1 if version == 1 else ()
    made = () if version == 1 else (*_SHARED, *_RECORDS)
    names = _names(tables)
    return [filled(each, names) for each in (*made, *_OURS, *before, *_LAST, *GUARD)]


def guard_statements(tables: Tables) -> list[str]:
    """The statements that make the guard of `STRUCTURE_ROWS`, which older files lack."""
    names = _names(tables)
    return [filled(each, names) for each in GUARD]


def _names(tables: Tables) -> Mapping[str, object]:
    return {
        **tables.names(quoted),
        "messages_index": quoted(f"idx_{tables.messages}_session_id"),
        "records_index": quoted(f"turnlog_{tables.messages}_records_log"),
        "sessions_index": quoted(f"turnlog_{tables.sessions}_changed"),
        "forgotten": quoted(f"turnlog_{tables.messages}_forgotten"),
        "removed": quoted(f"turnlog_{tables.messages}_removed"),
        "guard": quoted(guard_name(tables.messages)),
        "messages_text": "'" + tables.messages.replace("'", "''") + "'",
        "key_hash": KEY_HASH,
        "changed": SQLITE_CHANGED.replace("s.", ""),
        "long": _LONG,
    }
