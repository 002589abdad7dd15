"""SQLAlchemy sessions: conversations in PostgreSQL, MySQL, MariaDB or SQLite."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from turnlog.conversation.settings import SettingsLike
from turnlog.items.given import check_session_id
from turnlog.sessions.closing import NetworkSession
from turnlog.sessions.paths import check_order_of_url
from turnlog.stores.sqlalchemy import (
    PATIENCE,
    Engines,
    SQLAlchemyStore,
    Tables,
    engines_at,
    read_url,
)

if TYPE_CHECKING:
    from typing import Self

    from sqlalchemy import Engine
    from sqlalchemy.engine import URL
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["PATIENCE", "SQLAlchemySession"]


class SQLAlchemySession(NetworkSession):
    """One conversation in a database that SQLAlchemy reaches.

    Making one costs microseconds and opens nothing; make one per request if you like.

    session_id: any string that the database can hold; every id is a conversation of its own.
    engine: an `AsyncEngine`, or an ordinary `Engine`, whose work is done on threads. It
        stays yours: closing the session leaves it open.
    create_tables: the first write makes the two tables shared with the OpenAI Agents SDK, if
        they are missing. Ours beside them are made in any case. Reading makes no table.
    sessions_table, messages_table: their names.
    patience: for how many seconds work that failed is tried again, as docs/stores.md says.
    session_settings: a `SessionSettings`, a dict, or None; `settings` is the same.
    ensure_ascii: accepted because the SDK accepts it, and ignored; items are stored as UTF-8,
        which every reader of JSON reads.
    """

    def __init__(
        self,
        session_id: str,
        engine: AsyncEngine | Engine | Engines,
        *,
        create_tables: bool = True,
        sessions_table: str = "agent_sessions",
        messages_table: str = "agent_messages",
        patience: float = PATIENCE,
        session_settings: SettingsLike = None,
        settings: SettingsLike = None,
        ensure_ascii: bool = True,  # noqa: ARG002 - see the docstring
    ) -> None:
        check_session_id(session_id, type(self).__name__)
        tables = Tables(sessions_table, messages_table)
        self._store: SQLAlchemyStore = SQLAlchemyStore(
            engine, tables=tables, create_tables=create_tables, patience=patience
        )
        owns = isinstance(engine, Engines)
        super().__init__(session_id, self._store, session_settings, settings, owns_client=owns)

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
        patience: float = PATIENCE,
        session_settings: SettingsLike = None,
        settings: SettingsLike = None,
        ensure_ascii: bool = True,
    ) -> Self:
        """A session on an engine of its own.

        Sessions with the same URL and `engine_kwargs` share it, within an event loop.

        url: such as "postgresql://user:password@host/database" (through asyncpg), with another
            async driver "postgresql+psycopg://…", or the path of a file of SQLite. Its options
            override the other arguments, as docs/stores.md says.
        engine_kwargs: go to `sqlalchemy.ext.asyncio.create_async_engine`.
        """
        check_order_of_url(session_id, url)
        address = read_url(url, Tables(sessions_table, messages_table), patience)
        session = cls(
            session_id,
            engines_at(address.url, engine_kwargs or {}),
            create_tables=create_tables,
            sessions_table=address.tables.sessions,
            messages_table=address.tables.messages,
            patience=address.patience,
            session_settings=session_settings,
            settings=settings,
            ensure_ascii=ensure_ascii,
        )
        session.store.lease_seconds = address.lease_seconds
        return session

    @property
    def engine(self) -> AsyncEngine | Engine:
        """The engine that was passed in, or the one made for the running event loop."""
        return self._store.engine
