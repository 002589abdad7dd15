"""Forks: stores work on both sides."""

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from dapr.aio.clients import DaprClient as AsyncDaprClient
from dapr.clients import DaprClient
from redis.asyncio import Redis

from tests.servers.dapr_sidecar import STORE, Sidecar
from tests.servers.databases import PostgresServer
from tests.servers.redis import RedisCluster, RedisServer
from turnlog import Log, SQLiteSession
from turnlog.store import Store
from turnlog.stores.dapr import DaprStore, at_address
from turnlog.stores.redis import RedisStore
from turnlog.stores.sqlalchemy import SQLAlchemyStore, Tables
from turnlog.stores.sqlite import SQLiteStore
from turnlog.testing import ForkTests
from turnlog.testing.forks import ended, forked

_numbers = count(1)


class TestSQLite(ForkTests):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return SQLiteStore(tmp_path / "conversations.db")


class TestRedis(ForkTests):
    @pytest.fixture
    def store(self, redis: RedisServer) -> Store:
        return RedisStore.from_url(redis.url, key_prefix=f"fork-{next(_numbers)}")


class TestRedisCluster(ForkTests):
    @pytest.fixture
    def store(self, redis_cluster: RedisCluster) -> Store:
        return RedisStore.from_url(redis_cluster.url, key_prefix=f"fork-{next(_numbers)}")


class TestPostgreSQL(ForkTests):
    @pytest.fixture
    def store(self, postgres: PostgresServer) -> Store:
        number = next(_numbers)
        tables = Tables(f"forks_{number}", f"fork_messages_{number}")
        return SQLAlchemyStore.from_url(postgres.url(), tables=tables)


# What can't work says so, and does not hang


def refused(store: Store) -> bool:
    """Whether a forked child is told that it can't use `store`, which its parent has used."""

    async def use() -> None:
        with pytest.raises(RuntimeError, match="forked after its parent had used this client"):
            await store.append(Log("a"), [b"child"])

    return ended(forked(use)) == 0


async def _used(store: Store) -> None:
    await store.append(Log("a"), [b"parent"])
    assert refused(store)
    await store.append(Log("a"), [b"parent"])
    assert (await store.read(Log("a"))).payloads == [b"parent", b"parent"]


def test_a_redis_client_that_was_handed_in_stays_its_parents(redis: RedisServer) -> None:
    async def use() -> None:
        async with Redis.from_url(redis.url) as client:
            await _used(RedisStore(client, key_prefix=f"fork-{next(_numbers)}"))

    asyncio.run(use())


@pytest.mark.parametrize("way", ["address", "client", "blocking client"])
def test_a_sidecar_is_its_parents(sidecar: Sidecar, way: str) -> None:
    make: dict[str, Callable[[], object]] = {
        "address": lambda: at_address(sidecar.address),
        "client": lambda: AsyncDaprClient(sidecar.address),
        "blocking client": lambda: DaprClient(sidecar.address),
    }

    async def use() -> None:
        await _used(DaprStore(STORE, make[way]()))  # type: ignore[arg-type]  # one of three

    asyncio.run(use())


# Within a turn


def test_children_of_a_turn_and_their_parent_keep_what_they_write(tmp_path: Path) -> None:
    """A fork copies the turn, and with it all that its writes could be told apart by."""
    session = SQLiteSession("a", tmp_path / "conversations.db")

    def fork() -> list[int]:
        return [ended(forked(lambda n=n: session.add_items([_said(f"child {n}")]))) for n in (1, 2)]  # type: ignore[misc]  # a default

    async def use() -> None:
        async with session.turn("question") as turn:
            # On a thread, as a tool that blocks is: no event loop is running there.
            assert await asyncio.to_thread(fork) == [0, 0]
            await turn.add([_said("answer")])

    asyncio.run(use())
    items = asyncio.run(session.get_items())
    assert [item["content"] for item in items] == ["question", "child 1", "child 2", "answer"]


def _said(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}
