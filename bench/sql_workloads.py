"""PostgreSQL workloads: Turnlog and the SDK through SQLAlchemy, and a bare driver."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import asyncpg
from agents.extensions.memory import SQLAlchemySession as TheirSession
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from bench.harness import Contender, Workload
from turnlog.items.json import Item
from turnlog.sessions.sqlalchemy import SQLAlchemySession

__all__ = ["workloads"]

FOUR: list[Item] = [
    {"role": "user" if n % 2 else "assistant", "content": f"message {n} " * 12} for n in range(4)
]
_fresh = count(1)

#: Makes the session of an id on an engine.
Make = Callable[[str, AsyncEngine], Any]


def _ours(session_id: str, engine: AsyncEngine) -> Any:
    return SQLAlchemySession(session_id, engine)


def _theirs(session_id: str, engine: AsyncEngine) -> Any:
    return TheirSession(session_id, engine=engine, create_tables=True)


def workloads(url: str) -> list[Workload]:
    """The workloads on the server at `url`, an SQLAlchemy URL."""
    work = [
        ("postgresql: add 4", _add, _bare_add, "1.4 x, 50 %"),
        ("postgresql: newest 50 of 1,000", _newest, _bare_newest, "2 x, 50 %"),
        ("postgresql: read 50, add 4", _turn, _bare_turn, "1.6 x, 50 %"),
        ("postgresql: 32 sessions at once, add 4", _crowd, _bare_crowd, "2.5 x, 50 %"),
    ]
    return [
        Workload(name, _on(run, url, _ours), _on(run, url, _theirs), _bare(bare, url), goal)
        for name, run, bare, goal in work
    ]


def _on(run: Callable[[Callable[[str], Any]], Awaitable[float]], url: str, make: Make) -> Contender:
    async def contender(_folder: Path) -> float:
        engine = create_async_engine(url, pool_size=32)
        # Nobody meets what another round has left.
        number = next(_fresh)
        try:
            return await run(lambda name: make(f"{number}-{name}", engine))
        finally:
            await engine.dispose()

    return contender


async def _add(make: Callable[[str], Any]) -> float:
    session = make("a")
    await session.add_items(FOUR)
    return await _timed(lambda: session.add_items(FOUR), 100)


async def _newest(make: Callable[[str], Any]) -> float:
    session = make("a")
    await session.add_items(FOUR * 250)
    return await _timed(lambda: session.get_items(limit=50), 100)


async def _turn(make: Callable[[str], Any]) -> float:
    session = make("a")
    await session.add_items(FOUR * 250)

    async def turn() -> None:
        await session.get_items(limit=50)
        await session.add_items(FOUR)

    return await _timed(turn, 60)


async def _crowd(make: Callable[[str], Any]) -> float:
    sessions = [make(str(n)) for n in range(32)]
    await asyncio.gather(*(session.add_items(FOUR) for session in sessions))

    async def everybody() -> None:
        await asyncio.gather(*(session.add_items(FOUR) for session in sessions))

    return await _timed(everybody, 10) / len(sessions)


async def _timed(work: Callable[[], Awaitable[object]], times: int) -> float:
    start = perf_counter()
    for _ in range(times):
        await work()
    return (perf_counter() - start) / times


# The bare driver: one statement, on tables of its own, JSON neither written nor read

_INSERT = (
    "WITH s AS (INSERT INTO bare_sessions (id) VALUES ($1) "
    "ON CONFLICT (id) DO UPDATE SET updated_at = now() RETURNING id) "
    "INSERT INTO bare_messages (session_id, data) SELECT s.id, d FROM s, unnest($2::text[]) d"
)
_SELECT = "SELECT data FROM bare_messages WHERE session_id = $1 ORDER BY id DESC LIMIT 50"
_TEXTS = [str(item) for item in FOUR]


def _bare(run: Callable[[Any, str], Awaitable[float]], url: str) -> Contender:
    async def contender(_folder: Path) -> float:
        address = url.replace("+asyncpg", "")
        async with asyncpg.create_pool(address, min_size=1, max_size=32) as pool:
            await pool.execute(
                "CREATE TABLE IF NOT EXISTS bare_sessions "
                "(id VARCHAR PRIMARY KEY, updated_at TIMESTAMP DEFAULT now());"
                "CREATE TABLE IF NOT EXISTS bare_messages (id BIGSERIAL PRIMARY KEY, "
                "session_id VARCHAR REFERENCES bare_sessions (id), data TEXT, "
                "created_at TIMESTAMP DEFAULT now());"
                "CREATE INDEX IF NOT EXISTS bare_index ON bare_messages (session_id, id)"
            )
            return await run(pool, f"bare-{next(_fresh)}")

    return contender


async def _bare_add(pool: Any, name: str) -> float:
    return await _timed(partial(pool.execute, _INSERT, name, _TEXTS), 100)


async def _bare_newest(pool: Any, name: str) -> float:
    await pool.execute(_INSERT, name, _TEXTS * 250)
    return await _timed(partial(pool.fetch, _SELECT, name), 100)


async def _bare_turn(pool: Any, name: str) -> float:
    await pool.execute(_INSERT, name, _TEXTS * 250)

    async def turn() -> None:
        await pool.fetch(_SELECT, name)
        await pool.execute(_INSERT, name, _TEXTS)

    return await _timed(turn, 60)


async def _bare_crowd(pool: Any, name: str) -> float:
    async def everybody() -> None:
        await asyncio.gather(*(pool.execute(_INSERT, f"{name}-{n}", _TEXTS) for n in range(32)))

    await everybody()
    return await _timed(everybody, 10) / 32
