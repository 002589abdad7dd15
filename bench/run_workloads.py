"""Runner workloads: the cost of a whole turn with a model that answers at once.

Ours and the SDK's run their runners on their sessions. "Bare" does the same durable work by hand:
it reads all items, writes the question, and writes the answer.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import agents as sdk
from agents.extensions.memory import RedisSession as SDKRedisSession
from agents.extensions.memory import SQLAlchemySession as SDKSQLAlchemySession
from agents.testing import ScriptedModel, assistant_message
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import create_async_engine

import turnlog
from bench.bare_turns import BarePostgreSQL, BareRedis, BareSQLite, BareTurns, an_item
from bench.harness import Workload
from turnlog.changes import Append, Change, Check, Key, Remove
from turnlog.conversation.session import StoredSession
from turnlog.sessions.redis import RedisSession
from turnlog.sessions.sqlalchemy import SQLAlchemySession

__all__ = ["postgresql_workloads", "redis_workloads", "sqlite_workloads"]

TURNS = 40


class _Kind(NamedTuple):
    """How a kind of database is opened in a folder, for each contender."""

    name: str
    ours: Callable[[Path], AbstractAsyncContextManager[StoredSession]]
    theirs: Callable[[Path], AbstractAsyncContextManager[sdk.Session]]
    bare: Callable[[Path], AbstractAsyncContextManager[BareTurns]]


def sqlite_workloads() -> list[Workload]:
    """Turns over a file."""
    return _workloads(
        _Kind("a file", _our_file, _their_file, BareSQLite.opened),
        ("4 x, 40 %", "4 x, 25 %", "50 %"),
    )


def postgresql_workloads(url: str) -> list[Workload]:
    """Turns over the server at `url`, an SQLAlchemy URL."""
    kind = _Kind(
        "postgresql",
        partial(_our_engine, url),
        partial(_their_engine, url),
        partial(BarePostgreSQL.opened, url),
    )
    return _workloads(kind, ("2 x, 40 %", "2 x, 40 %", "50 %"))


def redis_workloads(url: str) -> list[Workload]:
    """Turns over the server at `url`."""
    kind = _Kind(
        "redis",
        partial(_our_client, url),
        partial(_their_client, url),
        partial(BareRedis.opened, url),
    )
    return _workloads(kind, ("3 x, 25 %", "3 x, 25 %", "50 %"))


def _workloads(kind: _Kind, goals: tuple[str, str, str]) -> list[Workload]:
    turns = [
        Workload(
            f"{kind.name}: a turn at {stored:,} stored items",
            partial(_our_turns, kind, stored),
            partial(_their_turns, kind, stored),
            partial(_bare_turns, kind, stored),
            goal,
        )
        for stored, goal in zip((10, 1000), goals[:2], strict=True)
    ]
    commits = Workload(
        f"{kind.name}: the two commits of a turn",
        partial(_our_commits, kind),
        None,
        partial(_bare_commits, kind),
        goals[2],
    )
    return [*turns, commits]


# Turns


class _AtOnce:
    async def respond(self, request: turnlog.ModelRequest) -> turnlog.ModelResponse:
        assert request.items
        return turnlog.ModelResponse([dict(assistant_message("yes").model_dump())])


async def _our_turns(kind: _Kind, stored: int, folder: Path) -> float:
    async with kind.ours(folder) as session:
        await session.add_items([an_item(n) for n in range(stored)])
        agent = turnlog.Agent("A", model=_AtOnce())
        return await _timed(lambda n: turnlog.Runner.run(agent, f"question {n}", session=session))


async def _their_turns(kind: _Kind, stored: int, folder: Path) -> float:
    async with kind.theirs(folder) as session:
        history: Any = [an_item(n) for n in range(stored)]
        await session.add_items(history)
        model = ScriptedModel()
        agent = sdk.Agent("A", model=model)
        sdk.set_tracing_disabled(disabled=True)

        async def turn(n: int) -> None:
            model.extend([[assistant_message("yes")]])
            await sdk.Runner.run(agent, f"question {n}", session=session)

        return await _timed(turn)


async def _bare_turns(kind: _Kind, stored: int, folder: Path) -> float:
    async with kind.bare(folder) as bare:
        await bare.add([an_item(n) for n in range(stored)])

        async def turn(n: int) -> None:
            assert len(await bare.read()) >= stored
            await bare.add([{"role": "user", "content": f"question {n}"}])
            await bare.add([assistant_message("yes").model_dump()])

        return await _timed(turn)


# The commits of a turn, without a runner


async def _our_commits(kind: _Kind, folder: Path) -> float:
    async with kind.ours(folder) as session:
        store, name = session.store, session.session_id
        end = await store.append(turnlog.Log(name), [b"{}"])

        async def turn(n: int) -> None:
            nonlocal end
            question: list[Change] = [
                Append(":lease", [b"holder"], 0),
                Append("main", [b"question"], end),
                Check(":queue", 0),
            ]
            lease, *_ = (await store.commit(name, question, key=_key(n, "begin"))).positions
            answer: list[Change] = [Remove(":lease", expect=lease), Append("main", [b"answer"])]
            _, end = (await store.commit(name, answer, key=_key(n, "end"))).positions

        return await _timed(turn)


def _key(turn: int, name: str) -> Key:
    return Key(f"{turn}/{name}", brief=True)


async def _bare_commits(kind: _Kind, folder: Path) -> float:
    async with kind.bare(folder) as bare:
        await bare.add([an_item(0)])

        async def turn(n: int) -> None:
            await bare.begin(f"{n}/begin", "question")
            await bare.end(f"{n}/end", "answer")

        return await _timed(turn)


async def _timed(turn: Callable[[int], Awaitable[object]]) -> float:
    await turn(-1)
    start = perf_counter()
    for n in range(TURNS):
        await turn(n)
    return (perf_counter() - start) / TURNS


# The sessions of each kind of database

_numbers = count(1)


def _fresh() -> str:
    """A name that no other round has used."""
    return f"turns-{next(_numbers)}"


@asynccontextmanager
async def _our_file(folder: Path) -> AsyncIterator[StoredSession]:
    session = turnlog.SQLiteSession("a", folder / "a.db")
    yield session
    await session.store.aclose()


@asynccontextmanager
async def _their_file(folder: Path) -> AsyncIterator[sdk.Session]:
    session = sdk.SQLiteSession("a", folder / "a.db")
    yield session
    session.close()


@asynccontextmanager
async def _our_engine(url: str, _folder: Path) -> AsyncIterator[StoredSession]:
    engine = create_async_engine(url)
    yield SQLAlchemySession(_fresh(), engine)
    await engine.dispose()


@asynccontextmanager
async def _their_engine(url: str, _folder: Path) -> AsyncIterator[sdk.Session]:
    engine = create_async_engine(url)
    yield SDKSQLAlchemySession(_fresh(), engine=engine, create_tables=True)
    await engine.dispose()


@asynccontextmanager
async def _our_client(url: str, _folder: Path) -> AsyncIterator[StoredSession]:
    async with Redis.from_url(url) as client:
        yield RedisSession(_fresh(), client)


@asynccontextmanager
async def _their_client(url: str, _folder: Path) -> AsyncIterator[sdk.Session]:
    async with Redis.from_url(url) as client:
        yield SDKRedisSession(_fresh(), redis_client=client)
