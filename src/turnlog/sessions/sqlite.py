"""Conversations in an SQLite file, or in memory."""

from __future__ import annotations

import os

from turnlog.conversation.settings import SessionSettings, SettingsLike
from turnlog.sessions.closing import OwningSession
from turnlog.stores.memory import MemoryStore
from turnlog.stores.sqlite import JournalMode, SQLiteStore, Tables

__all__ = ["AsyncSQLiteSession", "SQLiteSession"]


class _InSQLite(OwningSession):
    """One conversation in an SQLite file.

    Making one costs microseconds and opens nothing; make one per request if you
    like. Sessions on one file share its connections.

    session_id: any string; every id is a conversation of its own.
    db_path: the database file; ":memory:" keeps the conversation in this object alone.
    sessions_table, messages_table: the tables, shared with the OpenAI Agents SDK.
    session_settings: a `SessionSettings`, a dict, or None; `settings` is the same.
    journal_mode: "wal"; "truncate" or "delete" where the file system has no shared memory,
        as over a network. docs/stores.md tells what holds then.
    """

    def __init__(
        self,
        session_id: str,
        db_path: str | os.PathLike[str] = ":memory:",
        sessions_table: str = "agent_sessions",
        messages_table: str = "agent_messages",
        session_settings: SettingsLike = None,
        *,
        settings: SettingsLike = None,
        journal_mode: JournalMode = "wal",
    ) -> None:
        either = SessionSettings.either(session_settings, settings)
        tables = Tables(sessions_table, messages_table)
        self._store: MemoryStore | SQLiteStore
        if os.fspath(db_path) == ":memory:":
            self._store = MemoryStore()
        else:
            self._store = SQLiteStore(db_path, tables=tables, journal_mode=journal_mode)
        super().__init__(session_id, self._store, session_settings=either)
        self.db_path = db_path
        self.sessions_table = sessions_table
        self.messages_table = messages_table


class SQLiteSession(_InSQLite):
    """One conversation in an SQLite file, or in memory. `close` is an ordinary call."""

    def close(self) -> None:
        """Let go of the file. Closing twice is fine."""
        self._close()


class AsyncSQLiteSession(_InSQLite):
    """The same as `SQLiteSession`, except that `close` is awaited."""

    async def close(self) -> None:
        """Let go of the file. Closing twice is fine."""
        self._close()
