"""`AdvancedSQLiteSession` as a blocking twin, with the same constructor."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any, overload

from turnlog import sessions
from turnlog.conversation.settings import SettingsLike
from turnlog.items.json import TResponseInputItem
from turnlog.stores.sqlite import JournalMode
from turnlog.sync.loop import run
from turnlog.sync.orders import in_order
from turnlog.sync.sqlite import SQLiteSession
from turnlog.sync.stored import BlockingStoredSession

__all__ = ["AdvancedSQLiteSession"]


class AdvancedSQLiteSession(SQLiteSession):
    """The blocking twin of `turnlog.AdvancedSQLiteSession`, with the same parameters.

    They can be given in both orders, as for `SQLiteSession`.
    """

    session: sessions.AdvancedSQLiteSession

    @overload
    def __init__(
        self,
        session_id: str,
        db_path: str | os.PathLike[str],
        options: Mapping[str, Any] | None = None,
        *,
        create_tables: bool | None = None,
        logger: logging.Logger | None = None,
        session_settings: SettingsLike = None,
        settings: SettingsLike = None,
        sessions_table: str | None = None,
        messages_table: str | None = None,
        journal_mode: JournalMode | None = None,
        patience: float | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self,
        db_path: str | os.PathLike[str] = ":memory:",
        *,
        session_id: str,
        options: Mapping[str, Any] | None = None,
        create_tables: bool | None = None,
        logger: logging.Logger | None = None,
        session_settings: SettingsLike = None,
        settings: SettingsLike = None,
        sessions_table: str | None = None,
        messages_table: str | None = None,
        journal_mode: JournalMode | None = None,
        patience: float | None = None,
    ) -> None: ...

    def __init__(self, *args: Any, **options: Any) -> None:
        ordered = in_order("AdvancedSQLiteSession", args, options)
        BlockingStoredSession.__init__(self, sessions.AdvancedSQLiteSession(*ordered, **options))

    def get_items(
        self, limit: int | None = None, branch_id: str | None = None
    ) -> list[TResponseInputItem]:
        """The newest `limit` items of a branch, oldest first; None: of the current one."""
        return run(self.session.get_items, limit, branch_id)

    def delete_branch(self, branch_id: str, force: bool = False) -> None:
        """Delete a branch that has items, with all that belongs to it."""
        run(self.session.delete_branch, branch_id, force)
