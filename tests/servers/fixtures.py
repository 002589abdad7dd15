"""Fixtures: servers that all tests share, and servers of one test (`own_…`) that it may kill."""

from collections.abc import Iterator

import pytest

from tests.servers.databases import MariaDBServer, PostgresServer
from tests.servers.redis import RedisCluster, RedisSentinel, RedisServer

__all__ = [
    "mariadb",
    "own_mariadb",
    "own_postgres",
    "own_redis",
    "own_redis_cluster",
    "postgres",
    "redis",
    "redis_cluster",
    "redis_sentinel",
    "shared_redis_cluster",
]


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDBServer]:
    with MariaDBServer() as server:
        yield server


@pytest.fixture(scope="session")
def redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def shared_redis_cluster() -> Iterator[RedisCluster]:
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture
def redis_cluster(shared_redis_cluster: RedisCluster) -> RedisCluster:
    """The Cluster that tests share, emptied: what one test has left reaches no other."""
    with shared_redis_cluster.client() as client:
        client.flushall(target_nodes="primaries")
    return shared_redis_cluster


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def own_mariadb() -> Iterator[MariaDBServer]:
    with MariaDBServer() as server:
        yield server


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def own_redis_cluster() -> Iterator[RedisCluster]:
    with RedisCluster() as cluster:
        yield cluster


@pytest.fixture
def redis_sentinel() -> Iterator[RedisSentinel]:
    with RedisSentinel() as sentinel:
        yield sentinel
