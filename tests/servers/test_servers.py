"""The servers that other tests use: they keep data, fail on demand, and stop with the tests."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import asyncmy
import asyncpg
import pytest
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio import RedisCluster as AsyncRedisCluster
from redis.asyncio import Sentinel
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisLost
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout

from tests import ROOT
from tests.servers.databases import MariaDBServer, PostgresServer
from tests.servers.process import HOST, Server, children_of, is_alive
from tests.servers.proxy import Proxy
from tests.servers.redis import RedisCluster, RedisSentinel, RedisServer

pytestmark = pytest.mark.anyio

#: Adds a number to what is stored and returns how many there are.
Add = Callable[[], Awaitable[int]]


async def add_to_postgres(port: int) -> int:
    db = await asyncpg.connect(f"postgresql://postgres@{HOST}:{port}/postgres")
    try:
        await db.execute("CREATE TABLE IF NOT EXISTS numbers (n INT)")
        await db.execute("INSERT INTO numbers VALUES (1)")
        return int(await db.fetchval("SELECT count(*) FROM numbers"))
    finally:
        await db.close()


async def add_to_mariadb(port: int) -> int:
    db = await asyncmy.connect(
        host=HOST,
        port=port,
        user="turnlog",
        password="secret",  # noqa: S106 - the test's own server
        db="turnlog",
        autocommit=True,
    )
    async with db, db.cursor() as cursor:
        await cursor.execute("CREATE TABLE IF NOT EXISTS numbers (n INT) COMMENT 'a'")
        await cursor.execute("INSERT INTO numbers VALUES (1)")
        await cursor.execute("SELECT count(*) FROM numbers")
        return int((await cursor.fetchone())[0])


async def add_to_redis(port: int) -> int:
    async with AsyncRedis(host=HOST, port=port, retry=ONCE) as client:
        return int(await client.incr("numbers"))


ONCE = Retry(NoBackoff(), 0)
WAYS = {"postgres": add_to_postgres, "mariadb": add_to_mariadb, "redis": add_to_redis}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> tuple[Server, Callable[[int], Awaitable[int]]]:
    return request.getfixturevalue(f"own_{request.param}"), WAYS[request.param]


async def test_data_outlives_the_server(
    way: tuple[Server, Callable[[int], Awaitable[int]]],
) -> None:
    server, add = way
    assert await add(server.port) == 1
    server.restart()
    assert await add(server.port) == 2
    server.stop()
    with pytest.raises(Exception, match=r"(?i)connect"):
        await add(server.port)
    server.start()
    assert await add(server.port) == 3


async def test_an_answer_is_lost_after_the_work_was_done(
    way: tuple[Server, Callable[[int], Awaitable[int]]],
) -> None:
    server, add = way
    words = b"INCRBY" if isinstance(server, RedisServer) else b"INSERT INTO numbers"
    with Proxy(server.port) as proxy:
        assert await add(proxy.port) == 1
        proxy.lose_the_reply_to(words)
        with pytest.raises(Exception, match=r"(?i)connection|lost|closed"):
            await add(proxy.port)
        assert proxy.lost == 1
        assert await add(proxy.port) == 3


async def test_a_line_that_is_cut_refused_and_stalled(redis: RedisServer) -> None:
    with Proxy(redis.port) as proxy:
        async with AsyncRedis(
            host=HOST, port=proxy.port, retry=ONCE, socket_timeout=None
        ) as client:
            assert await client.ping()
            proxy.cut()
            with pytest.raises(ConnectionError):
                await _raw(client)
            proxy.refuse()
            with pytest.raises(ConnectionError):
                await _raw(client)
            proxy.refuse(refusing=False)
            assert await client.ping()
            proxy.stall()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(_raw(client), 0.2)
            asking = asyncio.create_task(_raw(client))
            await asyncio.sleep(0.1)
            assert not asking.done()
            proxy.stall(stalled=False)
            await asking


async def _raw(client: AsyncRedis) -> None:
    """PING, with the driver's errors as the builtins that they resemble."""
    try:
        await client.ping()
    except RedisTimeout as error:
        raise TimeoutError from error
    except RedisLost as error:
        raise ConnectionError from error


def test_databases_are_fresh(postgres: PostgresServer) -> None:
    names = {postgres.fresh_database() for _ in range(3)}
    assert len(names) == 3
    assert postgres.url("x").endswith("/x")


async def test_a_replica_takes_over(own_redis_cluster: RedisCluster) -> None:
    node = own_redis_cluster.nodes[0]
    async with AsyncRedisCluster(host=HOST, port=node.port) as client:
        await client.set("{a}1", "before")
        dead = own_redis_cluster.master_of("{a}1")
        own_redis_cluster.replace(dead)
        # Nothing tells when: the client finds out by asking.
        while await _tried(client.get("{a}1")) != b"before":  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        dead.start()
        own_redis_cluster.wait_healthy()
        assert len(own_redis_cluster.masters()) == 3


async def _tried(call: Awaitable[object]) -> object:
    with suppress(RedisError, OSError):
        return await call
    return None


async def test_sentinels_name_the_master(redis_sentinel: RedisSentinel) -> None:
    sentinel = Sentinel(redis_sentinel.addresses)  # type: ignore[no-untyped-call]
    async with sentinel.master_for(redis_sentinel.service) as client:
        assert await client.set("a", "1")
    for each in sentinel.sentinels:
        await each.aclose()


SCRIPT = """
import sys, time
from {module} import {name}

with {name}() as server:
    print(server.process.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize(
    "name", [PostgresServer, MariaDBServer, RedisServer], ids=lambda kind: kind.__name__
)
def test_a_killed_test_run_leaves_no_server(name: type[Server]) -> None:
    script = SCRIPT.format(module=name.__module__, name=name.__name__)
    scratch = Path(tempfile.mkdtemp(prefix="turnlog-killed-"))
    scratch.chmod(0o1777)  # as a folder for temporary files is
    run = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(scratch)},
        text=True,
    )
    with run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        assert is_alive(pid)
        processes = [pid, *children_of(pid)]
        run.send_signal(signal.SIGKILL)
    end = time.monotonic() + 240
    while any(map(is_alive, processes)):
        assert time.monotonic() < end, "the server outlived its tests"
        time.sleep(0.05)
    shutil.rmtree(scratch)


PORTS = """
from tests.servers.ports import free_port
print(*[free_port() for _ in range(300)], flush=True)
input()
"""


def test_two_test_processes_are_never_given_the_same_port() -> None:
    """Each asks for 300 of some 16,000: without an agreement, some five would be the same."""
    command = [sys.executable, "-c", PORTS]
    pipe = subprocess.PIPE
    runs = [
        subprocess.Popen(command, stdin=pipe, stdout=pipe, cwd=ROOT, text=True) for _ in range(2)
    ]
    ports = []
    for run in runs:
        assert run.stdout is not None
        ports += run.stdout.readline().split()
    for run in runs:
        run.communicate("\n")
    assert len(set(ports)) == len(ports) == 600
