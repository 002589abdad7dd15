"""Admission: nobody is overtaken for long where there are more tasks than connections."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool
from sqlalchemy.util import await_only

from turnlog import Log
from turnlog.changes import Append
from turnlog.stores.sqlalchemy.store import SQLAlchemyStore

pytestmark = pytest.mark.anyio

LOG = Log("session", "main")


@pytest.fixture(params=[200])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """Its pool has one connection. The parameter: for how many seconds it is waited for."""
    url = f"sqlite+aiosqlite:///{tmp_path / 'conversations.db'}"
    engine = create_async_engine(url, pool_size=1, max_overflow=0, pool_timeout=request.param)
    yield engine
    await engine.dispose()


def _working(engine: Engine) -> None:
    """Hold a connection for a moment."""
    with engine.connect():
        await_only(asyncio.sleep(0))


def _injected(engine: AsyncEngine) -> SQLAlchemyStore:
    return SQLAlchemyStore(engine)


def _from_url(engine: AsyncEngine) -> SQLAlchemyStore:
    options = {"pool_size": 1, "max_overflow": 0}
    return SQLAlchemyStore.from_url(str(engine.url), engine_kwargs=options)


@pytest.mark.parametrize("made", [_injected, _from_url], ids=["engine", "url"])
async def test_tasks_take_turns(
    engine: AsyncEngine, made: Callable[[AsyncEngine], SQLAlchemyStore]
) -> None:
    async with made(engine) as store:
        order: list[int] = []

        async def work_often(number: int) -> None:
            for _ in range(20):
                await store._engines.run(_working)
                order.append(number)

        await asyncio.gather(*map(work_often, range(6)))
    for number in range(6):
        own = [place for place, each in enumerate(order) if each == number]
        pauses = [later - place for place, later in pairwise(own)]
        assert max(own[0], *pauses) <= 6, (number, order)


@pytest.mark.parametrize("engine", [0.5], indirect=True)
async def test_who_waits_too_long_is_told_what_to_change(engine: AsyncEngine) -> None:
    store = SQLAlchemyStore(engine)
    await store.commit("session", [Append("main", [b"{}"])])
    stop = asyncio.Event()

    def block(_engine: Engine) -> None:
        await_only(stop.wait())

    blocking = asyncio.create_task(store._engines.run(block))
    await asyncio.sleep(0)
    with pytest.raises(PoolTimeout, match="pool_size"):
        await store.read(LOG)
    stop.set()
    await blocking
    assert len(await store.read(LOG)) == 1


async def test_an_engine_for_a_server_has_a_pool_of_fixed_size() -> None:
    """Its options may say otherwise."""
    url = "postgresql+asyncpg://nobody@127.0.0.1:1/nothing"
    async with SQLAlchemyStore.from_url(url) as store:
        assert _bounds(store) == (10, 0)
    async with SQLAlchemyStore.from_url(url, engine_kwargs={"pool_size": 3}) as store:
        assert _bounds(store) == (3, 10)  # as SQLAlchemy has it


def _bounds(store: SQLAlchemyStore) -> tuple[int, int]:
    pool = store.engine.pool
    assert isinstance(pool, AsyncAdaptedQueuePool)
    return pool.size(), pool._max_overflow
