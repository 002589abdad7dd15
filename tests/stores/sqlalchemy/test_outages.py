"""Outages: a server that is away for a moment makes no call fail that was not sent yet."""

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from tests.servers.databases import MariaDBServer, PostgresServer
from tests.servers.proxy import Proxy
from turnlog import Log
from turnlog.changes import Key
from turnlog.sessions.sqlalchemy import SQLAlchemySession
from turnlog.stores.sqlalchemy import SQLAlchemyStore

pytestmark = pytest.mark.anyio

DRIVERS = [
    ("own_postgres", "asyncpg"),
    ("own_postgres", "psycopg"),
    ("own_postgres", "psycopg on threads"),
    ("own_mariadb", "asyncmy"),
    ("own_mariadb", "aiomysql"),
]
Server = PostgresServer | MariaDBServer

#: Seconds for which calls are tried: a start may take long on a machine that has much else to do.
PATIENCE = 250.0


@pytest.fixture(params=DRIVERS, ids=lambda pair: pair[1])
def server(request: pytest.FixtureRequest) -> Server:
    server: Server = request.getfixturevalue(request.param[0])
    return server


@pytest.fixture
async def store(request: pytest.FixtureRequest, server: Server) -> AsyncIterator[SQLAlchemyStore]:
    """On an engine of one's own."""
    driver = request.node.callspec.params["server"][1]
    scheme, _, rest = server.url().partition("+")
    url = f"{scheme}+{driver.partition(' ')[0]}{rest[rest.index(':') :]}"
    if "threads" in driver:
        blocking = create_engine(url)
        yield SQLAlchemyStore(blocking, patience=PATIENCE)
        blocking.dispose()
        return
    engine = create_async_engine(url)
    yield SQLAlchemyStore(engine, patience=PATIENCE)
    await engine.dispose()


async def test_dead_connections_in_the_pool_fail_nothing(
    store: SQLAlchemyStore, server: Server
) -> None:
    sessions = [f"s{n}" for n in range(5)]
    for _ in range(3):
        # As many connections as there are sessions, all of them idle.
        await asyncio.gather(*(store.append(Log(session), [b"{}"]) for session in sessions))
        server.restart()
        await asyncio.sleep(0.05)
        for session in sessions:
            await store.append(Log(session), [b"{}"])
    assert [len(await store.read(Log(session))) for session in sessions] == [6] * 5


async def test_what_was_never_sent_is_tried_again(store: SQLAlchemyStore, server: Server) -> None:
    await store.append(Log("a"), [b"0"])
    for n in range(1, 4):
        server.kill()
        await asyncio.sleep(0.05)
        writing = asyncio.gather(
            store.append(Log("a"), [b"%d" % n]),
            store.annotate(Log("a"), b"%d" % n),
            store.delete(f"nobody {n}"),
        )
        await asyncio.sleep(0.3)
        assert not writing.done()
        server.start()
        await writing
    assert list((await store.read(Log("a"))).payloads) == [b"0", b"1", b"2", b"3"]
    assert [head.note for head in await store.logs("a")] == [b"3"]


async def test_runs_live_through_three_kills(store: SQLAlchemyStore, server: Server) -> None:
    """Writes with keys and expectations, as a run makes them, and not one of them fails."""
    over = False

    async def run(name: str) -> int:
        log = Log(name)
        lease = log.beside("lease")
        for turn in itertools.count():
            if over:
                return turn
            end, key = await _end(store, lease), f"take {turn}"
            taken = await store.append(lease, [b"%d" % turn], expect=end, key=Key(key))
            for step in range(3):
                await store.append(log, [b"%d.%d" % (turn, step)], key=Key(f"{turn}.{step}"))
            await _give_back(store, lease, taken)
        return 0

    running = [asyncio.create_task(run(f"s{n}")) for n in range(8)]
    for _ in range(3):
        await asyncio.sleep(0.5)
        server.kill()
        await asyncio.sleep(0.5)
        server.start()
    await asyncio.sleep(1)
    over = True
    turns = await asyncio.gather(*running)
    for n, done in enumerate(turns):
        payloads = list((await store.read(Log(f"s{n}"))).payloads)
        assert payloads == [b"%d.%d" % (turn, step) for turn in range(done) for step in range(3)]
    assert min(turns) >= 1


async def _give_back(store: SQLAlchemyStore, lease: Log, taken: int) -> None:
    try:
        await store.remove(lease, expect=taken)
    except DBAPIError:
        # It raises only if it can't be repeated, and so because it happened.
        assert await _end(store, lease) == 0


async def _end(store: SQLAlchemyStore, log: Log) -> int:
    records = await store.read(log, limit=1)
    return records.positions[-1] if records else 0


async def test_a_transaction_that_was_not_committed_is_tried_again(mariadb: MariaDBServer) -> None:
    """The line breaks at a statement before the commit: nothing can have happened."""
    database = mariadb.fresh_database()
    with Proxy(mariadb.port) as proxy:
        url = mariadb.url(database).replace(str(mariadb.port), str(proxy.port))
        store = SQLAlchemyStore.from_url(url, engine_kwargs={"pool_size": 1}, patience=PATIENCE)
        await store.append(Log("a"), [b"0"])
        for n in range(1, 20):
            proxy.lose_the_reply_to(b"item %d" % n)
            await store.append(Log("a"), [b"item %d" % n])
        assert proxy.lost == 19
        payloads = list((await store.read(Log("a"))).payloads)
        assert payloads == [b"0", *(b"item %d" % n for n in range(1, 20))]
        await store.aclose()


async def test_what_does_not_pass_is_told_at_once(postgres: PostgresServer) -> None:
    for driver in ("asyncpg", "psycopg"):
        url = postgres.url("no_such_database").replace("asyncpg", driver)
        session = SQLAlchemySession.from_url("a", url=url, patience=1e6)
        with pytest.raises(Exception, match="no_such_database") as caught:
            await session.add_items([{"n": 1}])
        assert type(caught.value).__name__ != "Undone"
        await session.store.aclose()
