"""The tables that conversations lie in on SQL databases, whichever library opens them.

Two of them are those that users of the OpenAI Agents SDK already have, so that a database
made there opens here and the other way round. What we add stands in tables of our own,
where an SDK session of the same id can't see it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Tables", "quoted", "sqlite_migrations"]

_LONGEST_NAME = 500


@dataclass(frozen=True)
class Tables:
    """The names of one pair of tables, and of ours beside them.

    Raises `ValueError` for what can't be a name.
    """

    sessions: str = "agent_sessions"
    messages: str = "agent_messages"

    def __post_init__(self) -> None:
        for role, name in (("sessions_table", self.sessions), ("messages_table", self.messages)):
            _check_name(role, name)
        if self.sessions.lower() == self.messages.lower():
            raise ValueError(f"sessions_table and messages_table are both {self.messages!r}")

    @property
    def records(self) -> str:
        """The table of what other logs than "main" hold."""
        return f"turnlog_{self.messages}_records"

    @property
    def heads(self) -> str:
        """The table of what is known of each log, apart from what the shared tables tell."""
        return f"turnlog_{self.messages}_heads"

    @property
    def keys(self) -> str:
        """The table of the keys that appends were made with."""
        return f"turnlog_{self.messages}_keys"


def quoted(name: str) -> str:
    """`name` as standard SQL takes any name."""
    return '"' + name.replace('"', '""') + '"'


def sqlite_migrations(tables: Tables) -> tuple[tuple[str, ...], ...]:
    """The schema on SQLite as a list of changes, oldest first.

    After number N, the schema has version N.
    """
    sessions, messages = quoted(tables.sessions), quoted(tables.messages)
    records, heads, keys = map(quoted, (tables.records, tables.heads, tables.keys))
    index = quoted(f"idx_{tables.messages}_session_id")
    forgotten = quoted(f"turnlog_{tables.messages}_forgotten")
    records_index = quoted(f"turnlog_{tables.messages}_records_log")
    return (
        (
            f"""CREATE TABLE IF NOT EXISTS {sessions} (
            session_id TEXT PRIMARY KEY,
            created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
            updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)""",
            f"""CREATE TABLE IF NOT EXISTS {messages} (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            session_id TEXT NOT NULL,
            message_data TEXT NOT NULL,
            created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
            FOREIGN KEY (session_id) REFERENCES {sessions} (session_id)
                ON DELETE CASCADE)""",
            f"CREATE INDEX IF NOT EXISTS {index} ON {messages} (session_id, id)",
            f"""CREATE TABLE {records} (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            session_id TEXT NOT NULL,
            name TEXT NOT NULL,
            payload BLOB NOT NULL,
            created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)""",
            f"CREATE INDEX {records_index} ON {records} (session_id, name, id)",
            f"""CREATE TABLE {heads} (
            session_id TEXT NOT NULL,
            name TEXT NOT NULL,
            created_at TEXT NOT NULL,
            updated_at TEXT NOT NULL,
            note BLOB NOT NULL DEFAULT x'',
            PRIMARY KEY (session_id, name)) WITHOUT ROWID""",
            f"""CREATE TABLE {keys} (
            session_id TEXT NOT NULL,
            name TEXT NOT NULL,
            key TEXT NOT NULL,
            position INTEGER NOT NULL,
            PRIMARY KEY (session_id, name, key)) WITHOUT ROWID""",
            # Also when it is the SDK that forgets a session.
            f"""CREATE TRIGGER {forgotten} AFTER DELETE ON {sessions} BEGIN
            DELETE FROM {heads} WHERE session_id = old.session_id AND name = 'main';
            DELETE FROM {keys} WHERE session_id = old.session_id AND name = 'main';
        END""",
        ),
    )


def _check_name(role: str, name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"{role} is a str, not {type(name).__name__}")
    if not name or len(name) > _LONGEST_NAME or re.search("[\x00\ud800-\udfff]", name):
        raise ValueError(f"{role} is empty, too long, or holds NUL or a lone surrogate")
    if name.lower().startswith(("sqlite_", "turnlog_")):
        raise ValueError(f"{role} is {name!r}; such names are reserved")
