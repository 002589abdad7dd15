"""`AdvancedSQLiteSession` as a blocking twin, with the same constructor."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

from turnlog import sessions
from turnlog.conversation.settings import SettingsLike
from turnlog.items.json import TResponseInputItem
from turnlog.stores.sqlite import JournalMode
from turnlog.sync.loop import run
from turnlog.sync.stored import BlockingStoredSession

__all__ = ["AdvancedSQLiteSession"]


class AdvancedSQLiteSession(BlockingStoredSession):
    """The blocking twin of `turnlog.AdvancedSQLiteSession`, with the same parameters."""

    session: sessions.AdvancedSQLiteSession

    def __init__(
        self,
        session_id: str,
        db_path: str | os.PathLike[str] = ":memory:",
        options: Mapping[str, Any] | None = None,
        *,
        create_tables: bool | None = None,
        logger: logging.Logger | None = None,
        session_settings: SettingsLike = None,
        settings: SettingsLike = None,
        sessions_table: str | None = None,
        messages_table: str | None = None,
        journal_mode: JournalMode | None = None,
    ) -> None:
        session = sessions.AdvancedSQLiteSession(
            session_id,
            db_path,
            options,
            create_tables=create_tables,
            logger=logger,
            session_settings=session_settings,
            settings=settings,
            sessions_table=sessions_table,
            messages_table=messages_table,
            journal_mode=journal_mode,
        )
        super().__init__(session)

    def get_items(
        self, limit: int | None = None, branch_id: str | None = None
    ) -> list[TResponseInputItem]:
        """The newest `limit` items of a branch, oldest first; None: of the current one."""
        return run(self.session.get_items, limit, branch_id)

    def delete_branch(self, branch_id: str, force: bool = False) -> None:
        """Delete a branch that has items, with all that belongs to it."""
        run(self.session.delete_branch, branch_id, force)
