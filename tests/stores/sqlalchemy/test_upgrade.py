"""Upgrades: tables of version 1 are read as they are, and moved once by the first that writes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.servers.databases import PostgresServer
from tests.stores.older import EXPECTED, older_mariadb, older_postgresql, older_sqlite
from turnlog import Log, SchemaError
from turnlog.changes import Append, Key
from turnlog.stores.sqlalchemy import SQLAlchemyStore, Tables
from turnlog.stores.sqlalchemy.retrying import is_missing
from turnlog.testing.looking import head_of

pytestmark = pytest.mark.anyio

KINDS = {"postgres": "postgresql", "mariadb": "mariadb", "sqlite": "sqlalchemy"}
OLD_HEADS, OLD_KEYS = Tables().old_heads, Tables().old_keys


async def _older(kind: str, request: pytest.FixtureRequest) -> AsyncEngine:
    if kind == "sqlite":
        path = older_sqlite("sqlalchemy", request.getfixturevalue("tmp_path"))
        return create_async_engine(f"sqlite+aiosqlite:///{path}")
    server: Any = request.getfixturevalue(kind)
    url = older_mariadb(server) if kind == "mariadb" else await older_postgresql(server)
    return create_async_engine(url)


@pytest.fixture(params=KINDS)
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[AsyncEngine]:
    """An engine of the caller's own on a database of version 1."""
    engine = await _older(request.param, request)
    yield engine
    await engine.dispose()


@pytest.fixture
def expected(request: pytest.FixtureRequest, engine: AsyncEngine) -> dict[str, Any]:
    """What the database holds: for each session and log, its head and records."""
    held: dict[str, Any] = EXPECTED[KINDS[request.node.callspec.params["engine"]]]
    return held


async def _seen(store: SQLAlchemyStore) -> dict[Log, tuple[object, ...]]:
    """All heads and records, and where each session stands in the list."""
    listed = [head.log.session for head in await store.sessions(limit=100)]
    logs = [head for session in listed for head in await store.logs(session)]
    return {
        head.log: (head, listed.index(head.log.session), list(await store.read(head.log)))
        for head in logs
    }


async def _tables(engine: AsyncEngine) -> set[str]:
    async with engine.connect() as db:
        return set(await db.run_sync(lambda db: inspect(db).get_table_names()))


async def _execute(engine: AsyncEngine, *statements: str) -> None:
    async with engine.begin() as db:
        for statement in statements:
            await db.execute(text(statement))


async def test_reading_changes_nothing_and_the_upgrade_nothing_that_is_read(
    engine: AsyncEngine, expected: dict[str, Any]
) -> None:
    store = SQLAlchemyStore(engine)
    before = await _seen(store)
    assert {log.session for log in before} == set(expected)
    assert OLD_HEADS in await _tables(engine)
    statements = await store.changes()
    await store.migrate()
    assert statements
    assert await store.changes() == []
    assert await _seen(store) == before
    assert await _tables(engine) & {OLD_HEADS, OLD_KEYS} == set()


async def test_keys_are_still_known(engine: AsyncEngine, expected: dict[str, Any]) -> None:
    store, log = SQLAlchemyStore(engine), Log("keyed")
    held = expected["keyed"]["main"]["positions"]
    again = await store.commit(
        "keyed", [Append("main", [b"{}"])], key=Key.of(log, "request-2", b"digest")
    )
    assert (again.replayed, again.positions) == (True, (held[-1],))
    assert list((await store.read(log)).positions) == held
    fresh = await store.commit("keyed", [Append("main", [b"{}"])], key=Key.of(log, "request-3"))
    assert not fresh.replayed


async def test_keys_of_any_text_are_still_known(engine: AsyncEngine) -> None:
    column = "`key`" if engine.dialect.name == "mysql" else "key"
    names = (":usage", "zweig-ü", "😀")
    values = ", ".join(f"('keyed', '{name}', 'schlüssel 🗝 {name}', 7)" for name in names)
    values = values.replace(":", "\\:")
    await _execute(
        engine, f"INSERT INTO {OLD_KEYS} (session_id, name, {column}, position) VALUES {values}"
    )
    store = SQLAlchemyStore(engine)
    for name in names:
        key = Key.of(Log("keyed", name), f"schlüssel 🗝 {name}")
        again = await store.commit("keyed", [Append(name, [b"{}"])], key=key)
        assert (again.replayed, again.positions) == (True, (7,))


async def test_a_session_with_other_logs_only_is_listed_then(engine: AsyncEngine) -> None:
    await _execute(
        engine,
        f"INSERT INTO {OLD_HEADS} (session_id, name, created_at, updated_at, note) VALUES "
        "('alone', 'side', '2020-01-01 00:00:00.5', '2020-01-02 00:00:00.5', '')".replace(
            ":", "\\:"
        ),
        f"INSERT INTO {Tables().records} (session_id, name, payload) VALUES ('alone', 'side', '1')",
    )
    store, side = SQLAlchemyStore(engine), Log("alone", "side")
    assert [head.log for head in await store.logs("alone")] == [side]
    await store.migrate()
    oldest = (await store.sessions(oldest=True))[0]
    assert (oldest.log, oldest.last, oldest.length) == (Log("alone"), 0, 0)
    assert [head.log for head in await store.logs("alone")] == [Log("alone"), side]
    await store.delete("alone")
    assert await store.logs("alone") == []
    assert await store.read(side) == []


async def test_many_begin_at_once(engine: AsyncEngine, expected: dict[str, Any]) -> None:
    engines = [create_async_engine(engine.url) for _ in range(6)]
    stores = [SQLAlchemyStore(each) for each in engines]
    log = Log("plain", "side")
    await asyncio.gather(*(store.append(log, [b"1"]) for store in stores))
    assert len(await stores[0].read(log)) == 6
    for session, logs in expected.items():
        heads = {head.log.name: head for head in await stores[1].logs(session)}
        assert {name: heads[name].length for name in logs} == {
            name: held["length"] for name, held in logs.items()
        }
    for each in engines:
        await each.dispose()


async def test_long_logs_are_counted_by_the_upgrade(engine: AsyncEngine) -> None:
    messages = ", ".join(["('plain', '{}')"] * 1500)
    await _execute(
        engine, f"INSERT INTO agent_messages (session_id, message_data) VALUES {messages}"
    )
    store = SQLAlchemyStore(engine)
    before = await head_of(store, Log("plain"))
    await store.migrate()
    assert await head_of(store, Log("plain")) == before
    length, last = Tables().main_length, Tables().main_last
    async with engine.connect() as db:
        noted = await db.execute(text(f"SELECT session_id, {last}, {length} FROM agent_sessions"))
        found = {row[0]: tuple(row[1:]) for row in noted}
    assert found.pop("plain") == (before.last, before.length)
    assert set(found.values()) == {(None, None)}


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
async def test_an_upgrade_that_broke_off_is_continued(
    kind: str, request: pytest.FixtureRequest
) -> None:
    """Also statements that `turnlog migrate` printed may be run one by one, in part."""
    whole = await _older(kind, request)
    statements = await SQLAlchemyStore(whole).changes()
    before = await _seen(SQLAlchemyStore(whole))
    await whole.dispose()
    for done in range(1, len(statements)):
        engine = await _older(kind, request)
        async with engine.connect() as db:
            alone = await db.execution_options(isolation_level="AUTOCOMMIT")
            for statement in statements[:done]:
                await alone.execute(text(statement.replace(":", "\\:")))
        store = SQLAlchemyStore(engine)
        try:
            assert await _seen(store) == before
        except SchemaError as error:
            assert "turnlog migrate --run" in str(error)  # noqa: PT017 - either is fine
        await store.migrate()
        assert await store.changes() == []
        assert await _seen(store) == before
        assert await _tables(engine) & {OLD_HEADS, OLD_KEYS} == set()
        assert not [name for name in await _tables(engine) if name.startswith("turnold_")]
        key = Key.of(Log("keyed"), "request-2")
        assert (await store.commit("keyed", [Append("main", [b"{}"])], key=key)).replayed
        await engine.dispose()


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
async def test_the_upgrade_waits_for_older_writers(
    kind: str, request: pytest.FixtureRequest
) -> None:
    engine = await _older(kind, request)
    store = SQLAlchemyStore(engine)
    touch = text(f"UPDATE {OLD_HEADS} SET note = 'late' WHERE name = '\\:usage'")
    async with engine.connect() as writer:
        await writer.execute(touch)
        upgrading = asyncio.create_task(store.migrate())
        assert await asyncio.wait({upgrading}, timeout=0.5) == (set(), {upgrading})
        await writer.commit()
        await upgrading
        # From now on it finds no table, and looks at the version.
        with pytest.raises(DBAPIError) as caught:
            await writer.execute(touch)
        assert is_missing(caught.value)
        await writer.rollback()
        version = (await writer.execute(text("SELECT version FROM turnlog_schema"))).scalar_one()
    assert version > 1
    assert (await head_of(store, Log("run", ":usage"))).note == b"late"
    await engine.dispose()


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
async def test_without_the_right_to_upgrade(kind: str, request: pytest.FixtureRequest) -> None:
    owner = await _older(kind, request)
    name = f"app_{owner.url.database}"
    rights = "SELECT, INSERT, UPDATE, DELETE"
    grants = {
        "postgres": [
            f"CREATE ROLE {name} LOGIN PASSWORD 'secret'",
            f"GRANT {rights} ON ALL TABLES IN SCHEMA public TO {name}",
            f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}",
            f"ALTER DEFAULT PRIVILEGES GRANT {rights} ON TABLES TO {name}",
        ],
        "mariadb": [
            f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'secret'",
            f"GRANT {rights} ON {owner.url.database}.* TO {name}@'127.0.0.1'",
        ],
    }
    await _execute(owner, *grants[kind])
    engine = create_async_engine(owner.url.set(username=name, password="secret"))  # noqa: S106 - of a server that ends with the test
    store, before = SQLAlchemyStore(engine), await _seen(SQLAlchemyStore(owner))
    assert await _seen(store) == before
    with pytest.raises(SchemaError, match=r"have version 1.*no right.*`turnlog migrate`"):
        await store.append(Log("plain"), [b"{}"])
    assert await _seen(store) == before
    assert await store.changes() == await SQLAlchemyStore(owner).changes()
    await SQLAlchemyStore(owner).migrate()
    assert await _seen(store) == before
    await store.append(Log("plain"), [b"{}"])
    await engine.dispose()
    await owner.dispose()


async def test_long_names_of_tables(postgres: PostgresServer) -> None:
    """PostgreSQL cuts them off."""
    engine = create_async_engine(postgres.url(postgres.fresh_database()))
    store = SQLAlchemyStore(engine, tables=Tables("s" * 70, "m" * 50))
    await store.append(Log("a"), [b"1"], key=Key("k"))
    await store.append(Log("a", "side"), [b"1"])
    await _execute(engine, "DELETE FROM turnlog_schema")
    again = SQLAlchemyStore(create_async_engine(engine.url), tables=store.tables)
    assert not [each for each in await again.changes() if each.startswith(("CREATE T", "ALTER"))]
    await again.append(Log("a", "side"), [b"1"])
    assert [head.length for head in await again.logs("a")] == [1, 2]
    assert isinstance(again.engine, AsyncEngine)
    await again.engine.dispose()
    await engine.dispose()
