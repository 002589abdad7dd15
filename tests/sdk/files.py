"""Sessions of ours and of the OpenAI Agents SDK on one file."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import agents
from agents.extensions.memory import AdvancedSQLiteSession, AsyncSQLiteSession, SQLAlchemySession

import turnlog

__all__ = ["MORE", "ours", "rows", "theirs", "write"]

MORE: list[Any] = [{"role": "user", "content": "and?"}, {"role": "assistant", "content": "so."}]


@asynccontextmanager
async def theirs(
    path: Path, kind: str = "SQLiteSession", session_id: str = "a", **tables: Any
) -> AsyncIterator[Any]:
    """A session of the SDK's own on the file."""
    match kind:
        case "SQLAlchemySession":
            url = f"sqlite+aiosqlite:///{path}"
            session = SQLAlchemySession.from_url(session_id, url=url, create_tables=True, **tables)
            yield session
            await session.engine.dispose()
        case "AsyncSQLiteSession":
            async_session = AsyncSQLiteSession(session_id, path, **tables)
            yield async_session
            await async_session.close()
        case _:
            plain_session = (
                AdvancedSQLiteSession(
                    session_id=session_id, db_path=path, create_tables=True, **tables
                )
                if kind == "AdvancedSQLiteSession"
                else agents.SQLiteSession(session_id, path, **tables)
            )
            with closing(plain_session):
                yield plain_session


@asynccontextmanager
async def ours(path: Path, session_id: str = "a", **tables: Any) -> AsyncIterator[Any]:
    with closing(turnlog.SQLiteSession(session_id, path, **tables)) as session:
        yield session


def write(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement, values)


def rows(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT count(*) FROM agent_messages").fetchone()[0])
