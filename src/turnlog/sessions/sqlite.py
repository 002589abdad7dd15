"""SQLite sessions: conversations in a file, or in memory."""

from __future__ import annotations

import os

from turnlog.conversation.closing import AlreadyClosed, Closing
from turnlog.conversation.settings import SettingsLike
from turnlog.items.given import check_session_id
from turnlog.sessions.closing import OwningSession
from turnlog.sessions.paths import check_order, check_path
from turnlog.stores.memory import MemoryStore
from turnlog.stores.sqlite import PATIENCE, JournalMode, SQLiteStore, Tables

__all__ = ["AsyncSQLiteSession", "SQLiteSession"]


class _InSQLite(OwningSession):
    def __init__(
        self,
        session_id: str,
        db_path: str | os.PathLike[str],
        tables: Tables,
        journal_mode: JournalMode,
        patience: float,
        *settings: SettingsLike,
    ) -> None:
        check_session_id(session_id, type(self).__name__)
        check_path(db_path)
        check_order(session_id, db_path)
        self._store: MemoryStore | SQLiteStore
        if os.fspath(db_path) == ":memory:":
            self._store = MemoryStore()
        else:
            self._store = SQLiteStore(
                db_path, tables=tables, journal_mode=journal_mode, patience=patience
            )
        super().__init__(session_id, self._store, *settings)
        self.db_path = db_path
        self.sessions_table = tables.sessions
        self.messages_table = tables.messages


class SQLiteSession(_InSQLite):
    """One conversation in an SQLite file, or in memory.

    Making one costs microseconds and opens nothing; make one per request if you
    like. Sessions on one file share its connections.

    session_id: any string; every id is a conversation of its own.
    db_path: the database file; "~" is the home directory, ":memory:" keeps the conversation in
        this object alone.
    sessions_table, messages_table: the tables, shared with the OpenAI Agents SDK.
    session_settings: a `SessionSettings`, a dict, or None; `settings` is the same.
    journal_mode: "wal"; "truncate" or "delete" where the file system has no shared memory,
        as over a network. docs/stores.md says what is promised then.
    patience: for how many seconds a lock of another process is waited for.
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
        patience: float = PATIENCE,
    ) -> None:
        tables = Tables(sessions_table, messages_table)
        super().__init__(
            session_id, db_path, tables, journal_mode, patience, session_settings, settings
        )

    def close(self) -> Closing:
        """Close the session, and the file after its last session. Closing twice is fine.

        It is done at once; `await session.close()` is allowed, as on all other sessions.
        """
        self._close()
        return AlreadyClosed()


class AsyncSQLiteSession(_InSQLite):
    """The same as `SQLiteSession`, with the same parameters, except that `close` is awaited."""

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
        patience: float = PATIENCE,
    ) -> None:
        tables = Tables(sessions_table, messages_table)
        super().__init__(
            session_id, db_path, tables, journal_mode, patience, session_settings, settings
        )

    async def close(self) -> None:
        """Close the session, and the file after its last session. Closing twice is fine."""
        self._close()
