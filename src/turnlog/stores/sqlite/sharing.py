"""Sharing: the tables of the SDK's AdvancedSQLiteSession, and what we keep beside them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from turnlog.stores.sqlite.connections import open_reader
from turnlog.stores.sqlite.foreign_logs import USAGE_RECORD, usage_fragments
from turnlog.stores.sqlite.structure import owner_of
from turnlog.stores.tables import Tables, filled, quoted
from turnlog.stores.tables_sqlite import guard_statements
from turnlog.stores.tables_structure import GENERATIONS

__all__ = ["check_file", "check_owner", "share"]

# How many seconds a check waits for a lock of another process.
_PATIENCE = 5.0

# As that class makes them.
_THEIRS = (
    """
    CREATE TABLE IF NOT EXISTS message_structure (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        session_id TEXT NOT NULL,
        message_id INTEGER NOT NULL,
        branch_id TEXT NOT NULL DEFAULT 'main',
        message_type TEXT NOT NULL,
        sequence_number INTEGER NOT NULL,
        user_turn_number INTEGER,
        branch_turn_number INTEGER,
        tool_name TEXT,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        FOREIGN KEY (session_id) REFERENCES {sessions}(session_id) ON DELETE CASCADE,
        FOREIGN KEY (message_id) REFERENCES {messages}(id) ON DELETE CASCADE)
    """,
    """
    CREATE TABLE IF NOT EXISTS turn_usage (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        session_id TEXT NOT NULL,
        branch_id TEXT NOT NULL DEFAULT 'main',
        user_turn_number INTEGER NOT NULL,
        requests INTEGER DEFAULT 0,
        input_tokens INTEGER DEFAULT 0,
        output_tokens INTEGER DEFAULT 0,
        total_tokens INTEGER DEFAULT 0,
        input_tokens_details JSON,
        output_tokens_details JSON,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        FOREIGN KEY (session_id) REFERENCES {sessions}(session_id) ON DELETE CASCADE,
        UNIQUE(session_id, branch_id, user_turn_number))
    """,
    """
    CREATE TABLE IF NOT EXISTS branch_reservations (
        session_id TEXT NOT NULL,
        branch_id TEXT NOT NULL,
        PRIMARY KEY (session_id, branch_id))
    """,
    GENERATIONS,
    """
    CREATE INDEX IF NOT EXISTS idx_structure_session_seq
    ON message_structure(session_id, sequence_number)
    """,
    "CREATE INDEX IF NOT EXISTS idx_structure_branch ON message_structure(session_id, branch_id)",
    """
    CREATE INDEX IF NOT EXISTS idx_structure_turn
    ON message_structure(session_id, branch_id, user_turn_number)
    """,
    """
    CREATE INDEX IF NOT EXISTS idx_structure_branch_seq
    ON message_structure(session_id, branch_id, sequence_number)
    """,
    """
    CREATE INDEX IF NOT EXISTS idx_turn_usage_session_turn
    ON turn_usage(session_id, branch_id, user_turn_number)
    """,
)
_OURS = (
    """
    CREATE TABLE {adopted} (
        session_id TEXT NOT NULL,
        branch_id TEXT NOT NULL,
        is_noting INTEGER NOT NULL DEFAULT 0,
        PRIMARY KEY (session_id, branch_id)) WITHOUT ROWID
    """,
    "CREATE INDEX {structure_index} ON message_structure (session_id, message_id, branch_id)",
    # Others delete sessions too. The SDK's plain class leaves these rows behind.
    """
    CREATE TRIGGER {left} AFTER DELETE ON {sessions} BEGIN
        DELETE FROM message_structure WHERE session_id = old.session_id;
        DELETE FROM turn_usage WHERE session_id = old.session_id;
        DELETE FROM {adopted} WHERE session_id = old.session_id;
    END
    """,
    # So do pops: the SDK's plain class leaves the row of the message and the usage of its turn.
    """
    CREATE TRIGGER {popped} AFTER DELETE ON {messages} BEGIN
        DELETE FROM message_structure
        WHERE session_id = old.session_id AND message_id = old.id;
        DELETE FROM turn_usage
        WHERE session_id = old.session_id AND branch_id = 'main' AND user_turn_number > coalesce((
            SELECT max(user_turn_number) FROM message_structure
            WHERE session_id = old.session_id AND branch_id = 'main'), -1);
    END
    """,
    # What that class notes of a turn on "main" becomes a record of ours, except what we noted.
    # Its REPLACE would hold for what stands here too, so nothing here meets a row that exists.
    """
    CREATE TRIGGER {spent} AFTER INSERT ON turn_usage
    WHEN new.branch_id = 'main' AND EXISTS (
        SELECT 1 FROM {adopted}
        WHERE session_id = new.session_id AND branch_id = 'main' AND NOT is_noting)
    BEGIN
        INSERT INTO {records} (session_id, name, payload, created_at)
        VALUES (new.session_id, ':usage', {payload}, new.created_at);
        INSERT INTO {logs} (session_id, name, last, length, note, created_at, updated_at)
        SELECT new.session_id, ':usage', 0, 0, x'', new.created_at, new.created_at
        WHERE NOT EXISTS (
            SELECT 1 FROM {logs} WHERE session_id = new.session_id AND name = ':usage');
        UPDATE {logs} SET length = length + 1, updated_at = new.created_at || '.000000', last = (
            SELECT max(id) FROM {records} WHERE session_id = new.session_id AND name = ':usage')
        WHERE session_id = new.session_id AND name = ':usage';
    END
    """,
)


def check_owner(db: sqlite3.Connection, tables: Tables, *, create: bool) -> None:
    """Raise `ValueError` unless the file belongs to `tables`, or to nobody and `create` is true."""
    owner = owner_of(db)
    if owner is None and create:
        return
    if owner is None:
        raise ValueError(
            "this file has no tables for branches and turns of the OpenAI Agents SDK's "
            "AdvancedSQLiteSession: create_tables=True makes them"
        )
    if owner == "unclear":
        raise ValueError(
            'the table "message_structure" in this file does not have exactly one foreign key to '
            "a table of sessions and one to a table of messages, so nobody can tell whose it is: "
            "use another file"
        )
    if not owner.is_pair(tables):
        raise ValueError(
            f"the table \"message_structure\" in this file belongs to '{owner.sessions}' and "
            f"'{owner.messages}', not to '{tables.sessions}' and '{tables.messages}': give each "
            f"pair of tables its own file"
        )


def check_file(path: Path, tables: Tables, *, create: bool) -> None:
    """Raise the same for the file at `path`, which it changes nothing in. Blocks for a moment."""
    if not path.exists():
        if not create:
            raise ValueError(f"there is no database at {path} yet: create_tables=True makes one")
        return
    with closing(open_reader(path, _PATIENCE)) as db:
        check_owner(db, tables, create=create)


def share(cursor: sqlite3.Cursor, tables: Tables) -> None:
    """Make what is missing of its tables and of ours, inside the caller's transaction."""
    names = _names(tables)
    for statement in (*_THEIRS, *_OURS):
        cursor.execute(filled(statement, names))
    for each in guard_statements(tables):
        cursor.execute(each)


def _names(tables: Tables) -> Mapping[str, str]:
    own = {
        "structure_index": quoted(f"turnlog_{tables.messages}_structure"),
        "popped": quoted(f"turnlog_{tables.messages}_popped"),
        "left": quoted(f"turnlog_{tables.messages}_left"),
        "spent": quoted(f"turnlog_{tables.messages}_spent"),
        "payload": filled(USAGE_RECORD, usage_fragments("new")),
    }
    return {**tables.names(quoted), **own}
