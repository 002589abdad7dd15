"""Tables of conversations on SQL databases: their names, SQLite's schema, and shared queries.

Two of them are those that users of the OpenAI Agents SDK already have, so that a database
made there opens here and the other way round. What we add stands in tables of our own,
where an SDK session of the same id can't see it.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from textwrap import dedent

__all__ = [
    "MAIN_HEADS",
    "OTHER_HEADS",
    "SQLITE_CHANGED",
    "Tables",
    "filled",
    "quoted",
    "sqlite_migrations",
]

_LONGEST_NAME = 500

#: Template of the heads of the logs "main". Such a log exists if it has a row in the sessions
#: table; only its note, if any, lies in our tables. Columns come in the order of `Head`.
MAIN_HEADS = """
    SELECT s.session_id, 'main' AS name,
        coalesce((SELECT max(id) FROM {messages} m WHERE m.session_id = s.session_id), 0) AS last,
        (SELECT count(*) FROM {messages} m WHERE m.session_id = s.session_id) AS length,
        {created} AS created_at, {changed} AS changed, {note} AS note
    FROM {sessions} s
"""
#: Template of the heads of all other logs, in the same columns.
OTHER_HEADS = """
    SELECT h.session_id, h.name,
        coalesce((SELECT max(id) FROM {records} r
                  WHERE r.session_id = h.session_id AND r.name = h.name), 0),
        (SELECT count(*) FROM {records} r
         WHERE r.session_id = h.session_id AND r.name = h.name),
        h.created_at, h.updated_at, h.note
    FROM {heads} h
"""
#: The time of `updated_at` of a session `s` on SQLite. The SDK's times have no fraction:
#: padding makes all of them comparable as text.
SQLITE_CHANGED = "substr(coalesce(s.updated_at, s.created_at, '') || '.000000', 1, 26)"


@dataclass(frozen=True)
class Tables:
    """The names of one pair of shared tables, and of our tables beside them.

    Raises `ValueError` for a name that a table can't have.
    """

    sessions: str = "agent_sessions"
    messages: str = "agent_messages"

    def __post_init__(self) -> None:
        for role, name in (("sessions_table", self.sessions), ("messages_table", self.messages)):
            _check_name(role, name)
        if self.sessions.lower() == self.messages.lower():
            raise ValueError(f"sessions_table and messages_table are both {self.messages!r}")

    def names(self, quoted: Callable[[str], str]) -> dict[str, str]:
        """All names, quoted, for the templates that `filled` takes."""
        roles = ("sessions", "messages", "records", "heads", "keys")
        return {role: quoted(getattr(self, role)) for role in roles}

    @property
    def records(self) -> str:
        """The table with the records of all logs but "main"."""
        return f"turnlog_{self.messages}_records"

    @property
    def heads(self) -> str:
        """The table with a row for each log but "main", and the notes of all."""
        return f"turnlog_{self.messages}_heads"

    @property
    def keys(self) -> str:
        """The table with the keys of appends."""
        return f"turnlog_{self.messages}_keys"


def quoted(name: str) -> str:
    """`name` as standard SQL takes any name."""
    return '"' + name.replace('"', '""') + '"'


def filled(template: str, *fragments: Mapping[str, object]) -> str:
    """The SQL of a template, with a fragment in place of each name in braces."""
    return dedent(template).strip().format_map(ChainMap(*map(dict, reversed(fragments))))


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
            # A trigger, because the SDK may delete a session too.
            f"""CREATE TRIGGER {forgotten} AFTER DELETE ON {sessions} BEGIN
            DELETE FROM {heads} WHERE session_id = old.session_id AND name = 'main';
            DELETE FROM {keys} WHERE session_id = old.session_id AND name = 'main';
        END""",
        ),
    )


def _check_name(role: str, name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"{role} must be a str, not {type(name).__name__}")
    if not name or len(name) > _LONGEST_NAME or re.search("[\x00\ud800-\udfff]", name):
        raise ValueError(
            f"{role} must have 1 to {_LONGEST_NAME} characters, without NUL and lone surrogates"
        )
    if name.lower().startswith(("sqlite_", "turnlog_")):
        raise ValueError(
            f"{role} is {name!r}; names that begin with sqlite_ or turnlog_ are reserved"
        )
