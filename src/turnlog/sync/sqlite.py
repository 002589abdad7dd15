"""`SQLiteSession` as a blocking twin, which takes its arguments in both orders."""

from __future__ import annotations

import os
from typing import Any, overload

from turnlog import sessions
from turnlog.conversation.settings import SettingsLike
from turnlog.stores.sqlite import PATIENCE, JournalMode
from turnlog.sync.orders import in_order
from turnlog.sync.stored import BlockingStoredSession

__all__ = ["SQLiteSession"]


class SQLiteSession(BlockingStoredSession):
    """The blocking twin of `turnlog.SQLiteSession`, with the same parameters, in both orders:

        SQLiteSession("user_123", "conversations.db")
        SQLiteSession("conversations.db", session_id="user_123")

    session_id: any string; every id is a conversation of its own.
    db_path: the database file; ":memory:", the default, keeps the conversation in this object
        alone.
    sessions_table, messages_table: the tables, shared with the OpenAI Agents SDK.
    session_settings: a `SessionSettings`, a dict, or None; `settings` is the same.
    journal_mode, patience: as in `turnlog.SQLiteSession`.

    Raises `TypeError` for one argument alone, which may be either.
    """

    session: sessions.SQLiteSession

    @overload
    def __init__(
        self,
        session_id: str,
        db_path: str | os.PathLike[str],
        sessions_table: str = "agent_sessions",
        messages_table: str = "agent_messages",
        session_settings: SettingsLike = None,
        *,
        settings: SettingsLike = None,
        journal_mode: JournalMode = "wal",
        patience: float = PATIENCE,
    ) -> None: ...

    @overload
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
        patience: float = PATIENCE,
    ) -> None: ...

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(
            sessions.SQLiteSession(*in_order("SQLiteSession", args, options), **options)
        )

    @property
    def db_path(self) -> str | os.PathLike[str]:
        """The database file, as it was given."""
        return self.session.db_path

    @property
    def sessions_table(self) -> str:
        """The table of conversations."""
        return self.session.sessions_table

    @property
    def messages_table(self) -> str:
        """The table of items."""
        return self.session.messages_table
