"""`SQLAlchemySession` as a blocking twin, with the same constructors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from turnlog.conversation.settings import SettingsLike
from turnlog.sessions import sqlalchemy
from turnlog.sync.loop import run
from turnlog.sync.stored import BlockingStoredSession

if TYPE_CHECKING:
    from typing import Self

    from sqlalchemy import Engine
    from sqlalchemy.engine import URL
    from sqlalchemy.ext.asyncio import AsyncEngine

    from turnlog.stores.sqlalchemy import Engines

__all__ = ["SQLAlchemySession"]


class SQLAlchemySession(BlockingStoredSession):
    """The blocking twin of `turnlog.SQLAlchemySession`, with the same parameters.

    engine: an ordinary `Engine`, whose work is done on threads; or an `AsyncEngine`, which is
        used on the event loop of all blocking twins.
    """

    session: sqlalchemy.SQLAlchemySession

    def __init__(
        self,
        session_id: str,
        engine: AsyncEngine | Engine | Engines,
        *,
        create_tables: bool = True,
        sessions_table: str = "agent_sessions",
        messages_table: str = "agent_messages",
        patience: float = sqlalchemy.PATIENCE,
        session_settings: SettingsLike = None,
        settings: SettingsLike = None,
        ensure_ascii: bool = True,
    ) -> None:
        session = sqlalchemy.SQLAlchemySession(
            session_id,
            engine,
            create_tables=create_tables,
            sessions_table=sessions_table,
            messages_table=messages_table,
            patience=patience,
            session_settings=session_settings,
            settings=settings,
            ensure_ascii=ensure_ascii,
        )
        super().__init__(session)

    @classmethod
    def from_url(
        cls,
        session_id: str,
        url: str | os.PathLike[str] | URL,
        *,
        engine_kwargs: Mapping[str, Any] | None = None,
        create_tables: bool = True,
        sessions_table: str = "agent_sessions",
        messages_table: str = "agent_messages",
        patience: float = sqlalchemy.PATIENCE,
        session_settings: SettingsLike = None,
        settings: SettingsLike = None,
        ensure_ascii: bool = True,
    ) -> Self:
        """A session on an engine of its own; see `turnlog.SQLAlchemySession.from_url`."""
        session = sqlalchemy.SQLAlchemySession.from_url(
            session_id,
            url,
            engine_kwargs=engine_kwargs,
            create_tables=create_tables,
            sessions_table=sessions_table,
            messages_table=messages_table,
            patience=patience,
            session_settings=session_settings,
            settings=settings,
            ensure_ascii=ensure_ascii,
        )
        return cls._around(session)

    @property
    def engine(self) -> AsyncEngine | Engine:
        """The engine that was passed in, or the one made for the loop of all blocking twins."""
        return run(self._engine)

    async def _engine(self) -> AsyncEngine | Engine:
        return self.session.engine

    def ping(self) -> bool:
        """Whether the server answers."""
        return run(self.session.ping)
