"""Stores on Redis keep the contract, alone and in a Cluster, and so do their sessions."""

from collections.abc import AsyncIterator
from itertools import count

import pytest
from hypothesis import settings
from redis.asyncio import Redis, RedisCluster

from tests.servers.redis import RedisCluster as ClusterServer
from tests.servers.redis import RedisServer
from tests.sizes import EXAMPLES
from turnlog.sessions.redis import RedisSession
from turnlog.store import Store
from turnlog.stores.memory import MemoryStore
from turnlog.stores.redis import RedisStore
from turnlog.testing import (
    ClosableSessionTests,
    MakeSession,
    MakeStore,
    StoredSessionTests,
    StoreTests,
    stores_agree,
)
from turnlog.testing.machine import SETTINGS

_numbers = count(1)


@pytest.fixture
def prefix() -> str:
    """One that no other test has."""
    return f"test-{next(_numbers)}"


@pytest.fixture(params=["redis", "redis_cluster"])
def url(request: pytest.FixtureRequest) -> str:
    server: RedisServer | ClusterServer = request.getfixturevalue(request.param)
    return server.url


class TestByURL(StoreTests):
    @pytest.fixture
    async def store(self, url: str, prefix: str) -> AsyncIterator[Store]:
        async with RedisStore.from_url(url, key_prefix=prefix) as store:
            yield store

    @pytest.fixture
    async def twin(self, store: Store, url: str, prefix: str) -> AsyncIterator[Store]:
        # Another option means another client, like another process has.
        options = {"socket_timeout": 30}
        async with RedisStore.from_url(url, key_prefix=prefix, **options) as twin:
            yield twin


class TestWithATimeToLive(StoreTests):
    @pytest.fixture
    async def store(self, redis: RedisServer, prefix: str) -> AsyncIterator[Store]:
        async with RedisStore.from_url(redis.url, key_prefix=prefix, ttl=600) as store:
            yield store


def redis_session(session_id: str, url: str, prefix: str) -> RedisSession:
    return RedisSession.from_url(session_id, url, key_prefix=prefix)


class TestRedisSession(ClosableSessionTests):
    negative_limit_shows_all = False

    @pytest.fixture
    async def make_session(self, url: str, prefix: str) -> AsyncIterator[MakeSession]:
        made: list[RedisSession] = []

        def make(session_id: str) -> RedisSession:
            made.append(redis_session(session_id, url, prefix))
            return made[-1]

        yield make
        for session in made:
            await session.store.aclose()


class TestOnAClientThatDecodes(StoredSessionTests):
    """A client that was handed in, with a single connection."""

    negative_limit_shows_all = False

    @pytest.fixture
    async def make_session(self, redis: RedisServer, prefix: str) -> AsyncIterator[MakeSession]:
        client = Redis.from_url(redis.url, decode_responses=True, max_connections=1)
        yield lambda session_id: RedisSession(session_id, client, key_prefix=prefix)
        await client.aclose()


class TestOnAClusterClientThatDecodes(StoredSessionTests):
    negative_limit_shows_all = False

    @pytest.fixture
    async def make_session(
        self, redis_cluster: ClusterServer, prefix: str
    ) -> AsyncIterator[MakeSession]:
        at = redis_cluster.url.replace("+cluster", "")
        client = RedisCluster.from_url(at, decode_responses=True)
        yield lambda session_id: RedisSession(session_id, client, key_prefix=prefix)
        await client.aclose()


async def _memory() -> Store:
    return MemoryStore()


@pytest.fixture
def make_store(url: str) -> MakeStore:
    async def make() -> Store:
        return RedisStore.from_url(url, key_prefix=f"test-{next(_numbers)}")

    return make


@pytest.mark.proof
def test_each_agrees_with_memory(make_store: MakeStore) -> None:
    stores_agree(_memory, make_store, settings=settings(SETTINGS, max_examples=EXAMPLES))
