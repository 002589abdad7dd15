"""Faults of databases: servers that die during a write, and lost acknowledgements."""

import asyncio
import itertools
from collections import Counter
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from tests.servers.databases import MariaDBServer, PostgresServer
from tests.servers.proxy import Proxy
from tests.sizes import LOST_ANSWERS
from turnlog import Log
from turnlog.changes import Key
from turnlog.errors import Conflict
from turnlog.sessions.sqlalchemy import SQLAlchemySession
from turnlog.stores.sqlalchemy import SQLAlchemyStore

pytestmark = pytest.mark.anyio

BATCH = 3


@pytest.fixture(params=["own_postgres", "own_mariadb"])
def server(request: pytest.FixtureRequest) -> PostgresServer | MariaDBServer:
    server: PostgresServer | MariaDBServer = request.getfixturevalue(request.param)
    return server


async def test_what_was_acknowledged_outlives_the_server(
    server: PostgresServer | MariaDBServer,
) -> None:
    sessions = [SQLAlchemySession.from_url(f"s{n}", url=server.url()) for n in range(32)]
    await sessions[0].get_items()
    acknowledged: Counter[str] = Counter()
    stopping = False

    async def write(session: SQLAlchemySession) -> None:
        for batch in itertools.count():
            items = [{"batch": batch, "place": place} for place in range(BATCH)]
            while not stopping:
                try:
                    await session.add_items(items, key=str(batch))
                except Exception:  # noqa: BLE001 - the server is away, in one way or another
                    await asyncio.sleep(0.05)
                else:
                    acknowledged[session.session_id] = batch + 1
                    break
            if stopping:
                return

    writers = [asyncio.create_task(write(session)) for session in sessions]
    for _ in range(2):
        await asyncio.sleep(0.5)
        await asyncio.to_thread(server.kill)
        await asyncio.sleep(0.1)
        await _start(server)
    while len(acknowledged) < len(sessions) or min(acknowledged.values()) <= 3:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    stopping = True
    await asyncio.gather(*writers)
    for session in sessions:
        items = await session.get_items()
        batches = len(items) // BATCH
        assert items == [{"batch": b, "place": p} for b in range(batches) for p in range(BATCH)]
        assert batches - acknowledged[session.session_id] in {0, 1}
    await sessions[0].store.aclose()


async def _start(server: PostgresServer | MariaDBServer) -> None:
    # Not on a thread: the kernel ends a server with the thread that started it.
    server.start()
    await asyncio.sleep(0)


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
async def test_a_retry_after_a_lost_answer_stores_once(
    kind: str, request: pytest.FixtureRequest
) -> None:
    server: PostgresServer | MariaDBServer = request.getfixturevalue(kind)
    database = server.fresh_database()
    with Proxy(server.port) as proxy:
        url = server.url(database).replace(str(server.port), str(proxy.port))
        store = SQLAlchemyStore.from_url(url, engine_kwargs={"pool_size": 1}, patience=250)
        await store.read(Log("a"))
        for n in range(LOST_ANSWERS):
            # PostgreSQL is sent the parameters alone, of a statement that it knows.
            proxy.lose_the_reply_to(b'{"n":%d}' % n if kind == "postgres" else b"COMMIT")
            await store.append(Log("a"), [b'{"n":%d}' % n, b"{}"], key=Key(f"turn {n}"))
        assert proxy.lost == LOST_ANSWERS
        payloads = list((await store.read(Log("a"))).payloads)
        assert payloads == [p for n in range(LOST_ANSWERS) for p in (b'{"n":%d}' % n, b"{}")]
        await store.aclose()


async def test_without_a_key_a_lost_answer_is_told(postgres: PostgresServer) -> None:
    database = postgres.fresh_database()
    with Proxy(postgres.port) as proxy:
        url = postgres.url(database).replace(str(postgres.port), str(proxy.port))
        store = SQLAlchemyStore.from_url(url)
        await store.append(Log("a"), [b"first"])
        proxy.lose_the_reply_to(b"second")
        with pytest.raises(DBAPIError):
            await store.append(Log("a"), [b"second"])
        last = (await store.read(Log("a"))).positions[-1]
        proxy.lose_the_reply_to(b"third")
        with pytest.raises(DBAPIError):
            await store.append(Log("a"), [b"third"], expect=last)
        with pytest.raises(Conflict):
            await store.append(Log("a"), [b"third"], expect=last)
        assert list((await store.read(Log("a"))).payloads) == [b"first", b"second", b"third"]
        await store.aclose()


async def test_reads_are_repeated_on_a_new_connection(
    server: PostgresServer | MariaDBServer,
) -> None:
    session = SQLAlchemySession.from_url("a", url=server.url(), patience=250)
    items: list[Any] = [{"n": 1}]
    await session.add_items(items)
    for _ in range(2):
        await asyncio.to_thread(server.kill)
        reading = asyncio.create_task(session.get_items())
        await asyncio.sleep(0.05)
        await _start(server)
        assert await reading == items
    # A connection that died meanwhile is noticed before anything is sent on it.
    await asyncio.to_thread(server.kill)
    await _start(server)
    await asyncio.sleep(0.05)
    await session.add_items(items)
    assert await session.get_items() == items * 2
    await session.store.aclose()
