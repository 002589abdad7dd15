"""Engines passed in by the caller: transactions, drivers, logs, limits and spellings."""

import logging
import traceback
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.servers.databases import MariaDBServer, PostgresServer
from turnlog import Log, SchemaError
from turnlog.changes import Append, Forget, Key
from turnlog.errors import Conflict
from turnlog.sessions.sqlalchemy import SQLAlchemySession
from turnlog.stores.sqlalchemy import SQLAlchemyStore

pytestmark = pytest.mark.anyio

SAID = "what people said"
DRIVERS = ["asyncpg", "psycopg", "asyncmy", "aiomysql", "aiosqlite", "pysqlite"]


@pytest.fixture(params=DRIVERS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, by each of the drivers."""
    driver = request.param
    if "sqlite" in driver:
        return f"sqlite+{driver}:///{tmp_path}/a.db"
    kind = "mariadb" if "mysql" in driver or "asyncmy" in driver else "postgres"
    server: PostgresServer | MariaDBServer = request.getfixturevalue(kind)
    return server.url(server.fresh_database()).replace(_driver_of(server), driver)


def _driver_of(server: PostgresServer | MariaDBServer) -> str:
    return "asyncpg" if isinstance(server, PostgresServer) else "asyncmy"


def _made(url: str, **options: Any) -> AsyncEngine | Engine:
    return (
        create_engine(url, **options) if "pysqlite" in url else create_async_engine(url, **options)
    )


def _core(engine: AsyncEngine | Engine) -> Engine:
    return engine.sync_engine if isinstance(engine, AsyncEngine) else engine


async def _dispose(engine: AsyncEngine | Engine) -> None:
    if isinstance(engine, AsyncEngine):
        await engine.dispose()
    else:
        engine.dispose()


def _no_begin_of_its_own(db: Any, _record: object) -> None:
    db.isolation_level = None


def _emit_begin(db: Any) -> None:
    db.exec_driver_sql("BEGIN")


@pytest.fixture(params=["plain", "begin event", "autocommit", "autocommit and begin event"])
async def engine(request: pytest.FixtureRequest, url: str) -> AsyncIterator[AsyncEngine | Engine]:
    options = {"isolation_level": "AUTOCOMMIT"} if "autocommit" in request.param else {}
    engine = _made(url, **options)
    if "begin event" in request.param:
        # SQLAlchemy's own recipe for SQLite.
        if "sqlite" in url:
            event.listen(_core(engine), "connect", _no_begin_of_its_own)
        event.listen(_core(engine), "begin", _emit_begin)
    yield engine
    await _dispose(engine)


@pytest.mark.filterwarnings("ignore:.*there is already a transaction in progress")
async def test_transactions_of_its_own_keep_every_promise(
    engine: AsyncEngine | Engine, url: str
) -> None:
    store = SQLAlchemyStore(engine)
    log = Log("a")
    first = await store.append(log, [b"1"])
    assert await store.append(log, [b"2"], key=Key("k")) == await store.append(
        log, [b"9"], key=Key("k")
    )
    with pytest.raises(Conflict):
        await store.append(log, [b"3"], expect=first)
    await store.annotate(log, b"note")
    for name in ("side", ":usage"):
        await store.append(Log("a", name), [b"1", b"2"])
    assert await store.remove(Log("a", "side")) == 0
    assert await store.remove(Log("b")) == 0
    await store.commit("a", [Forget(":usage"), Append("main", [b"3"], times=[1.5])], key=Key("f"))
    # All of it is committed: another engine sees it.
    other = _made(url)
    seen = SQLAlchemyStore(other)
    assert list((await seen.read(log)).payloads) == [b"1", b"2", b"3"]
    assert (await seen.read(log)).times[-1] == 1.5
    heads = {head.log.name: (head.length, head.note) for head in await seen.logs("a")}
    assert heads == {"main": (3, b"note"), "side": (0, b"")}
    await seen.delete("a")
    assert await store.sessions() == []
    await _dispose(other)


@pytest.mark.filterwarnings("ignore:.*there is already a transaction in progress")
async def test_a_batch_that_fails_leaves_nothing(engine: AsyncEngine | Engine) -> None:
    session = SQLAlchemySession("a", engine)
    await session.add_items([{"n": 1}])
    before = await session.store.logs("a")
    await _refuse(engine, "refused")
    with pytest.raises(DBAPIError):
        await session.add_items([{"n": n} for n in range(50)] + [{"n": "refused"}])
    assert await session.get_items() == [{"n": 1}]
    assert await session.store.logs("a") == before
    await session.add_items([{"n": 2}])
    assert await session.get_items() == [{"n": 1}, {"n": 2}]


async def _refuse(engine: AsyncEngine | Engine, word: str) -> None:
    """Have the database refuse messages with `word` in it, by a constraint of the caller's."""
    rule = (
        f"ALTER TABLE agent_messages ADD CONSTRAINT mine CHECK (message_data NOT LIKE '%%{word}%%')"
    )
    if engine.dialect.name == "sqlite":
        rule = (
            f"CREATE TRIGGER mine BEFORE INSERT ON agent_messages WHEN NEW.message_data LIKE "
            f"'%{word}%' BEGIN SELECT RAISE(ABORT, 'CHECK constraint failed: mine'); END"
        )
    own = _made(engine.url.render_as_string(hide_password=False))
    if isinstance(own, AsyncEngine):
        async with own.begin() as db:
            await db.execute(text(rule.replace("%%", "%")))
    else:
        with own.begin() as plain:
            plain.execute(text(rule))
    await _dispose(own)


@pytest.mark.parametrize("handed_in", [True, False])
async def test_what_people_said_is_in_no_error_and_no_log(
    url: str, handed_in: bool, caplog: pytest.LogCaptureFixture
) -> None:
    engine = _made(url, echo=True)
    if handed_in or "pysqlite" in url:
        session = SQLAlchemySession("a", engine)
    else:
        session = SQLAlchemySession.from_url("a", url=url, engine_kwargs={"echo": True})
    caplog.set_level(logging.INFO)
    await session.add_items([{"content": "something else"}])
    await _refuse(engine, SAID)
    with pytest.raises(DBAPIError, match="mine") as caught:
        await session.add_items([{"content": SAID}], key="k")
    if "mysql" not in url:  # MariaDB counts its own among the operational ones
        assert isinstance(caught.value, IntegrityError)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    for error in (caught.value.orig, caught.value.__cause__):
        shown += f"{error!r} {error}"
    assert "mine" in shown
    assert SAID not in shown
    assert "INSERT INTO" in caplog.text
    assert SAID not in caplog.text
    await session.store.aclose()
    await _dispose(engine)


async def test_a_value_that_an_error_quotes_is_cut_out(postgres: PostgresServer) -> None:
    for driver in ("asyncpg", "psycopg"):
        url = postgres.url(postgres.fresh_database()).replace("asyncpg", driver)
        engine = create_async_engine(url)
        session = SQLAlchemySession("a", engine)
        await session.add_items([{"n": 1}])
        async with engine.begin() as db:
            rule = "CHECK ((message_data::json ->> 'n')::integer > 0)"
            await db.exec_driver_sql(f"ALTER TABLE agent_messages ADD CONSTRAINT mine {rule}")
        with pytest.raises(DBAPIError, match="invalid input syntax for type integer") as caught:
            await session.add_items([{"n": SAID}])
        assert SAID not in "".join(traceback.format_exception(caught.value))
        await engine.dispose()


async def test_what_the_server_takes_in_no_packet_is_refused_at_once(
    mariadb: MariaDBServer,
) -> None:
    for driver in ("asyncmy", "aiomysql"):
        engine = create_async_engine(
            mariadb.url(mariadb.fresh_database()).replace("asyncmy", driver)
        )
        store = SQLAlchemyStore(engine)
        limit = await _packet_of(engine)
        # Quotes and newlines take two bytes in a statement.
        for payload in (b"x" * limit, b'"' * (limit // 2), b"\n" * (limit // 2)):
            for log in (Log("a"), Log("a", ":usage")):
                with pytest.raises(ValueError, match=f"max_allowed_packet is {limit}"):
                    await store.append(log, [b"1", payload])
        with pytest.raises(ValueError, match="max_allowed_packet"):
            await store.annotate(Log("a"), b"x" * limit)
        assert await store.logs("a") == []
        almost = b"x" * (limit - 4096)
        await store.append(Log("a"), [almost])
        assert (await store.read(Log("a"))).payloads[0] == almost
        await store.delete("a")
        await engine.dispose()


async def _packet_of(engine: AsyncEngine) -> int:
    async with engine.connect() as db:
        return int((await db.execute(text("SELECT @@max_allowed_packet"))).scalar_one())


async def test_batches_are_cut_to_small_packets(own_mariadb: MariaDBServer) -> None:
    root = create_async_engine(own_mariadb.url())
    async with root.begin() as db:
        await db.execute(text("SET GLOBAL max_allowed_packet = 65536"))
    await root.dispose()
    store = SQLAlchemyStore.from_url(own_mariadb.url())
    payloads = [b"%d" % n + b'"' * 10_000 for n in range(40)]
    for log in (Log("a"), Log("a", ":usage")):
        await store.append(log, payloads)
        assert list((await store.read(log)).payloads) == payloads
    await store.aclose()


async def test_a_gigabyte_is_refused_before_it_is_sent(postgres: PostgresServer) -> None:
    store = SQLAlchemyStore.from_url(postgres.url(postgres.fresh_database()))
    half = bytes(2**29)  # zeros that nobody looks at take no memory
    with pytest.raises(ValueError, match="no value of a gigabyte"):
        await store.append(Log("a"), [half, half])
    assert await store.logs("a") == []
    await store.aclose()


@pytest.mark.parametrize("driver", ["asyncpg", "psycopg"])
async def test_times_with_a_zone_are_exact(postgres: PostgresServer, driver: str) -> None:
    name = postgres.fresh_database()
    engine = create_async_engine(postgres.url(name).replace("asyncpg", driver))
    async with engine.begin() as db:
        await db.exec_driver_sql(f"ALTER DATABASE {name} SET timezone = 'America/New_York'")
        time = "TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP"
        await db.exec_driver_sql(
            f"CREATE TABLE agent_sessions (session_id VARCHAR PRIMARY KEY, "
            f"created_at {time}, updated_at {time})"
        )
        await db.exec_driver_sql(
            f"CREATE TABLE agent_messages (id BIGSERIAL PRIMARY KEY, session_id VARCHAR NOT NULL "
            f"REFERENCES agent_sessions ON DELETE CASCADE, message_data TEXT, created_at {time})"
        )
    await engine.dispose()
    store = SQLAlchemyStore(engine)
    for session in ("a", "b", "c"):
        last = await store.append(Log(session), [b"{}"])
        await store.append(Log(session), [b"{}"], expect=last)
        await store.append(Log(session, ":usage"), [b"{}"])
        await store.annotate(Log(session), b"note")
        await store.remove(Log(session), after=last)
    async with engine.connect() as db:
        now = (await db.execute(text("SELECT extract(epoch FROM now())"))).scalar_one()
        off = "SELECT max(abs(extract(epoch FROM now() - created_at))) FROM agent_messages"
        assert (await db.execute(text(off))).scalar_one() < 60
    times = list((await store.read(Log("a"))).times)
    for head in [*await store.logs("a"), *await store.sessions()]:
        times += [head.created_at, head.updated_at]
    assert max(abs(time - float(now)) for time in times) < 60
    first = await store.sessions(limit=2)
    second = await store.sessions(after=first[-1].cursor)
    assert [head.log.session for head in (*first, *second)] == ["c", "b", "a"]
    await engine.dispose()


async def test_tables_to_which_ids_are_equal_are_refused_by_their_name(
    mariadb: MariaDBServer,
) -> None:
    engine = create_async_engine(mariadb.url(mariadb.fresh_database()))
    async with engine.begin() as db:
        await db.exec_driver_sql(
            "CREATE TABLE agent_sessions (session_id VARCHAR(255) PRIMARY KEY, "
            "created_at DATETIME(6), updated_at DATETIME(6))"
        )
        await db.exec_driver_sql(
            "CREATE TABLE agent_messages (id BIGINT AUTO_INCREMENT PRIMARY KEY, "
            "session_id VARCHAR(255) NOT NULL, message_data LONGTEXT, created_at DATETIME(6), "
            "FOREIGN KEY (session_id) REFERENCES agent_sessions (session_id) ON DELETE CASCADE)"
        )
    store = SQLAlchemyStore(engine)
    for work in (lambda: store.append(Log("a"), [b"{}"]), lambda: store.read(Log("a"))):
        with pytest.raises(SchemaError, match="'agent_messages' and 'agent_sessions'") as caught:
            await work()
    # What the error says makes them fit.
    cure = str(caught.value).partition("change that with ")[2]
    async with engine.begin() as db:
        for statement in cure.split("; "):
            await db.exec_driver_sql(statement)
    for session in ("a", "A", "a "):
        await store.append(Log(session), [session.encode()])
    assert [list((await store.read(Log(s))).payloads) for s in ("a", "A", "a ")] == [
        [b"a"],
        [b"A"],
        [b"a "],
    ]
    await engine.dispose()


async def test_a_commit_that_fails_leaves_no_transaction_behind(url: str) -> None:
    """In AUTOCOMMIT the pool, which ends those that it knows of, knows nothing of ours."""
    engine = _made(url, isolation_level="AUTOCOMMIT")
    store, log = SQLAlchemyStore(engine), Log("a")
    await store.append(log, [b"stays"])

    def fail(_db: object, _cursor: object, statement: str, *_: object) -> None:
        if statement == "COMMIT":
            raise OverflowError("at the commit")

    event.listen(_core(engine), "before_cursor_execute", fail)
    with pytest.raises(OverflowError, match="at the commit"):
        await store.delete(log.session)
    event.remove(_core(engine), "before_cursor_execute", fail)
    assert (await store.read(log)).payloads == [b"stays"]
    await _dispose(engine)
