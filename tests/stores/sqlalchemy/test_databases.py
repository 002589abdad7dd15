"""The store on databases: order, isolation, first use, and the SDK on the same tables."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from agents.extensions.memory import SQLAlchemySession as TheirSession
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.servers.databases import MariaDBServer, PostgresServer
from tests.sizes import FIRST_USES
from turnlog import Log, SchemaError, SQLiteSession
from turnlog.changes import Key
from turnlog.sessions.sqlalchemy import SQLAlchemySession
from turnlog.stores.sqlalchemy import SQLAlchemyStore, Tables
from turnlog.stores.sqlalchemy.schema_mysql import MySQLSchema

pytestmark = pytest.mark.anyio

ITEMS: list[Any] = [
    {"role": "user", "content": "Grüße, 世界 👩‍🚀 \u2028 \x1f \\ \" ' \x00"},
    {"z": 1, "a": {"y": [1, 2.0, -0.0, 1e300, True, None], "b": ""}, "": {}},
    {"big": 2**64, "half an emoji": "\ud83d"},
    {"role": "assistant", "content": [{"type": "output_text", "text": "x" * 5000}]},
]


@pytest.fixture(params=["postgres", "mariadb", "sqlite"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """An engine of the caller's own, on an empty database."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path}/conversations.db"
    elif request.param == "postgres":
        postgres: PostgresServer = request.getfixturevalue("postgres")
        url = postgres.url(postgres.fresh_database())
    else:
        mariadb: MariaDBServer = request.getfixturevalue("mariadb")
        url = mariadb.url(mariadb.fresh_database())
    engine = create_async_engine(url)
    yield engine
    await engine.dispose()


async def test_an_engine_that_was_handed_in_stays_the_callers(engine: AsyncEngine) -> None:
    session = SQLAlchemySession("a", engine)
    assert session.engine is engine
    await session.add_items(ITEMS)
    await session.close()
    assert await session.get_items() == ITEMS
    async with engine.connect() as db:
        assert (await db.execute(text("SELECT count(*) FROM agent_messages"))).scalar() == 4
    assert await SQLAlchemySession("a", engine=engine).get_items() == ITEMS


async def test_many_first_uses_at_once(engine: AsyncEngine) -> None:
    sessions = [SQLAlchemySession(f"s{n % 5}", engine) for n in range(25)]
    await asyncio.gather(*(session.add_items(ITEMS[:2]) for session in sessions))
    for n in range(5):
        assert await sessions[n].get_items() == ITEMS[:2] * 5


SWARM = """
import asyncio, sys
from turnlog.sessions.sqlalchemy import SQLAlchemySession

async def main(url, process, uses):
    sessions = [
        SQLAlchemySession.from_url(f"{process}-{n}", url=url, engine_kwargs={"pool_recycle": n})
        for n in range(int(uses))
    ]
    await asyncio.gather(*(session.add_items([{"n": 1}]) for session in sessions))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_many_processes_first_uses_of_an_empty_database(
    kind: str, request: pytest.FixtureRequest
) -> None:
    server: PostgresServer | MariaDBServer = request.getfixturevalue(kind)
    url = server.url(server.fresh_database())
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", SWARM, url, str(n), str(FIRST_USES)], stderr=subprocess.PIPE
        )
        for n in range(8)
    ]
    for run in runs:
        _, errors = run.communicate(timeout=600)
        assert run.returncode == 0, errors.decode()


async def test_a_migration_is_seen_once_its_lock_is_released(mariadb: MariaDBServer) -> None:
    engine = create_async_engine(mariadb.url(mariadb.fresh_database()))
    migrate = partial(MySQLSchema(Tables()).migrate, shared=True)
    async with engine.connect() as first, engine.connect() as second:
        await first.run_sync(migrate)
        async with asyncio.timeout(200):
            await second.run_sync(migrate)  # it finds nothing to do
    await engine.dispose()


async def test_a_pool_of_one_is_enough(engine: AsyncEngine) -> None:
    small = create_async_engine(engine.url, pool_size=1, max_overflow=0)
    sessions = [SQLAlchemySession("a", small) for _ in range(20)]
    await asyncio.gather(*(s.add_items([{"n": n}]) for n, s in enumerate(sessions)))
    assert sorted(item["n"] for item in await sessions[0].get_items()) == list(range(20))
    await small.dispose()


async def test_an_exhausted_pool_says_so(postgres: PostgresServer) -> None:
    small = create_async_engine(postgres.url(), pool_size=1, max_overflow=0, pool_timeout=0.1)
    session = SQLAlchemySession("pool", small)
    await session.get_items()
    async with small.connect():
        with pytest.raises(PoolTimeout):
            await session.add_items([{"n": 1}])
    assert await session.get_items() == []
    await small.dispose()


async def test_a_big_item(engine: AsyncEngine) -> None:
    big = {"role": "user", "content": "é" * 2_600_000}
    session = SQLAlchemySession("a", engine)
    await session.add_items([big])
    assert await session.get_items() == [big]


async def test_writers_with_expectations_take_turns(engine: AsyncEngine) -> None:
    store = SQLAlchemyStore(engine)
    log = Log("a", ":lease")
    await store.append(log, [b"0"])

    async def count_up(times: int) -> None:
        while times:
            newest = (await store.read(log, limit=1))[0]
            try:
                await store.append(log, [b"%d" % (int(newest.payload) + 1)], expect=newest.position)
                times -= 1
            except RuntimeError:
                await asyncio.sleep(0)

    await asyncio.gather(*(count_up(10) for _ in range(4)))
    records = await store.read(log)
    assert list(records.payloads) == [b"%d" % n for n in range(41)]


async def test_one_key_stores_once_whoever_tries(engine: AsyncEngine) -> None:
    stores = [SQLAlchemyStore(engine) for _ in range(12)]
    positions = await asyncio.gather(
        *(store.append(Log("a"), [b"{}"], key=Key("turn 1")) for store in stores)
    )
    assert len(set(positions)) == 1
    assert len(await stores[0].read(Log("a"))) == 1


async def test_times_sort_as_positions_do(engine: AsyncEngine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("whole seconds there, as the SDK writes them")
    store = SQLAlchemyStore(engine)
    await asyncio.gather(*(store.append(Log("a"), [b"1", b"2"]) for _ in range(20)))
    times = list((await store.read(Log("a"))).times)
    assert times == sorted(times)


# The SDK on the same tables


def theirs(engine: AsyncEngine, session_id: str = "a") -> Any:
    return TheirSession(session_id, engine=engine, create_tables=True)


@pytest.fixture
def shared_engine(engine: AsyncEngine) -> AsyncEngine:
    if engine.dialect.name == "mysql":
        pytest.skip("the SDK can't make its tables on MySQL: their ids have no length")
    return engine


async def test_a_database_of_theirs_opens_and_continues(shared_engine: AsyncEngine) -> None:
    plain = [item for item in ITEMS if "half an emoji" not in item]
    plain[0] = {**plain[0], "content": "no NUL"}
    await theirs(shared_engine).add_items(plain)
    ours = SQLAlchemySession("a", shared_engine, create_tables=False)
    assert await ours.get_items() == plain
    await ours.add_items(ITEMS[1:2])
    assert await theirs(shared_engine).get_items() == [*plain, ITEMS[1]]
    assert await ours.pop_item() == ITEMS[1]
    assert await theirs(shared_engine).get_items(2) == plain[-2:]


async def test_what_they_clear_is_forgotten_whole(shared_engine: AsyncEngine) -> None:
    store = SQLAlchemyStore(shared_engine)
    await store.append(Log("a"), [b"{}"], key=Key("k"))
    await store.annotate(Log("a"), b"note")
    await store.append(Log("a", "side"), [b"{}"])
    if shared_engine.dialect.name == "sqlite":
        event.listen(shared_engine.sync_engine, "connect", _with_foreign_keys)
    await theirs(shared_engine).clear_session()
    assert await store.logs("a") == await store.read(Log("a", "side")) == []
    await store.append(Log("a"), [b"[]"], key=Key("k"))
    assert [(head.log.name, head.note) for head in await store.logs("a")] == [("main", b"")]
    assert len(await store.read(Log("a"))) == 1


def _with_foreign_keys(db: Any, _record: object) -> None:
    db.execute("PRAGMA foreign_keys=ON")


async def test_all_write_together(shared_engine: AsyncEngine) -> None:
    ours, other = SQLAlchemySession("a", shared_engine), theirs(shared_engine)
    await ours.add_items([{"n": -1}])
    await asyncio.gather(
        *(session.add_items([{"n": n}]) for n in range(10) for session in (ours, other))
    )
    mine, seen_there = await ours.get_items(), await other.get_items()
    assert sorted(item["n"] for item in mine) == [-1, *sorted([*range(10)] * 2)]
    assert sorted(item["n"] for item in seen_there) == sorted(item["n"] for item in mine)


async def test_a_file_is_the_same_for_both_our_stores(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    by_url = SQLAlchemySession.from_url("a", url=f"sqlite+aiosqlite:///{path}")
    by_file = SQLiteSession("a", path)
    for first, second in ((by_url, by_file), (by_file, by_url)):
        await first.add_items(ITEMS, key=str(first))
        assert await second.get_items() == await first.get_items()
        await second.add_items(ITEMS, key=str(first))
        await second.store.append(Log("a", "side"), [b"\xff"])
        await second.store.annotate(Log("a"), b"note")
        assert await first.store.logs("a") == await second.store.logs("a")
        assert await first.store.sessions() == await second.store.sessions()
    assert len(await by_file.get_items()) == 8
    by_file.close()
    await by_url.store.aclose()


# Errors


async def test_missing_tables_are_named(engine: AsyncEngine) -> None:
    session = SQLAlchemySession("a", engine, create_tables=False)
    with pytest.raises(SchemaError, match=r"no table 'agent_sessions'.*create_tables=True"):
        await session.add_items([{"n": 1}])


async def test_a_newer_schema_is_refused(engine: AsyncEngine) -> None:
    await SQLAlchemySession("a", engine).add_items([{"n": 1}])
    async with engine.begin() as db:
        await db.execute(text("UPDATE turnlog_schema SET version = 99"))
    again = create_async_engine(engine.url)
    with pytest.raises(SchemaError, match="version 99"):
        await SQLAlchemySession("a", again).get_items()
    await again.dispose()


async def test_tables_that_vanish_are_made_anew(engine: AsyncEngine) -> None:
    session = SQLAlchemySession("a", engine)
    await session.add_items([{"n": 1}])
    names = Tables()
    async with engine.begin() as db:
        for table in (names.writes, names.logs, names.records, names.messages, names.sessions):
            await db.execute(text(f"DROP TABLE {table}"))
        await db.execute(text("DROP TABLE turnlog_schema"))
    assert await session.get_items() == []
    await session.add_items([{"n": 2}])
    assert await session.get_items() == [{"n": 2}]


async def test_a_constraint_of_the_callers_own_comes_out_as_itself(engine: AsyncEngine) -> None:
    session = SQLAlchemySession("a", engine)
    await session.add_items([{"n": 1}])
    if engine.dialect.name == "sqlite":
        rule = (
            "CREATE TRIGGER mine BEFORE INSERT ON agent_messages WHEN NEW.session_id = 'vip' "
            "BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: mine'); END"
        )
    else:
        rule = "ALTER TABLE agent_messages ADD CONSTRAINT mine CHECK (session_id <> 'vip')"
    async with engine.begin() as db:
        await db.exec_driver_sql(rule)
    with pytest.raises((IntegrityError, DBAPIError), match="mine") as caught:
        await SQLAlchemySession("vip", engine).add_items([{"content": "a secret"}])
    assert "a secret" not in str(caught.value)
    assert await SQLAlchemySession("vip", engine).get_items() == []
    await session.add_items([{"n": 2}])


async def test_what_text_cannot_hold_is_refused_before_anything_is_written(
    postgres: PostgresServer,
) -> None:
    store = SQLAlchemyStore.from_url(postgres.url(postgres.fresh_database()))
    with pytest.raises(ValueError, match="a session id holds NUL"):
        await store.append(Log("a\0"), [b"{}"])
    with pytest.raises(ValueError, match="256 characters; this database takes at most 255"):
        await store.append(Log("a" * 256), [b"{}"])
    assert await store.sessions() == []
    assert await store.sessions(prefix="\0") == []
    await store.aclose()


async def test_an_unknown_kind_of_database_is_named() -> None:
    with pytest.raises(ValueError, match="only on postgresql, mysql"):
        SQLAlchemyStore.from_url("mssql+aioodbc://host/db", engine_kwargs={"module": object()})


async def test_memory_is_one_database_for_the_session() -> None:
    one = SQLAlchemySession.from_url("a", url="sqlite+aiosqlite:///:memory:")
    other = SQLAlchemySession.from_url("a", url="sqlite+aiosqlite:///:memory:")
    await one.add_items([{"n": 1}])
    assert (await one.get_items(), await other.get_items()) == ([{"n": 1}], [])
    await asyncio.to_thread(asyncio.run, one.add_items([{"n": 2}]))
    assert await one.get_items() == [{"n": 1}, {"n": 2}]
    await one.store.aclose()
    await other.store.aclose()
