"""`SQLiteSession` as a blocking twin, with a constructor that keeps its typed parameters."""

from __future__ import annotations

import os

from turnlog import sessions
from turnlog.conversation.settings import SettingsLike
from turnlog.stores.sqlite import JournalMode
from turnlog.sync.stored import BlockingStoredSession

__all__ = ["SQLiteSession"]


class SQLiteSession(BlockingStoredSession):
    """The blocking twin of `turnlog.SQLiteSession`.

    db_path: the database file; ":memory:" keeps the conversation in this object alone.
    session_id: any string; every id is a conversation of its own.
    sessions_table, messages_table: the tables, shared with the OpenAI Agents SDK.
    session_settings: a `SessionSettings`, a dict, or None; `settings` is the same.
    journal_mode: as in `turnlog.SQLiteSession`.
    """

    def __init__(
        self,
        db_path: str | os.PathLike[str] = ":memory:",
        *,
        session_id: str,
        sessions_table: str = "agent_sessions",
        messages_table: str = "agent_messages",
        session_settings: SettingsLike = None,
        settings: SettingsLike = None,
        journal_mode: JournalMode = "wal",
    ) -> None:
        session = sessions.SQLiteSession(
            session_id,
            db_path,
            sessions_table,
            messages_table,
            session_settings,
            settings=settings,
            journal_mode=journal_mode,
        )
        super().__init__(session)
