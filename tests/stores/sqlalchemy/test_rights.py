"""Rights: what a role needs in order to read, to write, and to create the tables."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from agents.extensions.memory import SQLAlchemySession as TheirSession
from sqlalchemy import inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.servers.databases import MariaDBServer, PostgresServer
from turnlog import Log, SchemaError
from turnlog.changes import Forget, Key, Replace
from turnlog.sessions.sqlalchemy import SQLAlchemySession
from turnlog.stores.sqlalchemy import SQLAlchemyStore

pytestmark = pytest.mark.anyio

ITEMS: list[Any] = [{"role": "user", "content": "hello"}]
PASSWORD = "secret"  # noqa: S105 - of a server that ends with the test
GRANTS = {"reader": "SELECT", "writer": "SELECT, INSERT, UPDATE, DELETE"}
AsRole = Callable[[str], AsyncEngine]


@pytest.fixture(params=["postgres", "mariadb"])
async def owner(request: pytest.FixtureRequest) -> AsyncIterator[AsyncEngine]:
    """An engine on an empty database, of a role that may do anything."""
    server: PostgresServer | MariaDBServer = request.getfixturevalue(request.param)
    engine = create_async_engine(server.url(server.fresh_database()))
    yield engine
    await engine.dispose()


@pytest.fixture
async def as_role(owner: AsyncEngine) -> AsyncIterator[AsRole]:
    """Engines of roles that were granted something on all tables there are or will be."""
    made: list[AsyncEngine] = []
    database = owner.url.database
    names = {role: f"{role}_{database}" for role in GRANTS}
    async with owner.begin() as db:
        for role, rights in GRANTS.items():
            for statement in _granting(db.dialect.name, names[role], rights, str(database)):
                await db.exec_driver_sql(statement)

    def engine(role: str) -> AsyncEngine:
        url = owner.url.set(username=names[role], password=PASSWORD)
        made.append(create_async_engine(url))
        return made[-1]

    yield engine
    for each in made:
        await each.dispose()


def _granting(kind: str, name: str, rights: str, database: str) -> list[str]:
    if kind == "mysql":
        return [
            f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'secret'",
            f"GRANT {rights} ON {database}.* TO {name}@'127.0.0.1'",
        ]
    of_sequences = "USAGE, SELECT" if "INSERT" in rights else "SELECT"
    return [
        "REVOKE CREATE ON SCHEMA public FROM public",
        f"CREATE ROLE {name} LOGIN PASSWORD 'secret'",
        f"ALTER DEFAULT PRIVILEGES GRANT {rights} ON TABLES TO {name}",
        f"ALTER DEFAULT PRIVILEGES GRANT {of_sequences} ON SEQUENCES TO {name}",
    ]


async def test_reading_needs_select_and_writing_no_ddl(owner: AsyncEngine, as_role: AsRole) -> None:
    await SQLAlchemySession("a", owner).add_items(ITEMS)
    await SQLAlchemyStore(owner).annotate(Log("a"), b"note")
    reader = SQLAlchemyStore(as_role("reader"), create_tables=False)
    assert await SQLAlchemySession("a", as_role("reader")).get_items() == ITEMS
    assert [head.note for head in await reader.sessions()] == [b"note"]
    assert len(await reader.logs("a")) == 1
    assert await reader.read(Log("a", ":usage")) == []
    for create_tables in (False, True):
        writer = SQLAlchemyStore(as_role("writer"), create_tables=create_tables)
        last = await writer.append(Log("a"), [b"{}"], key=Key(f"{create_tables}"))
        await writer.append(Log("a"), [b"{}"], expect=last)
        await writer.append(Log("a", ":usage"), [b"{}"])
        await writer.annotate(Log("a"), b"other")
        assert await writer.remove(Log("a"), after=last) == last
        for old, new in ((b"{}", b"\xff"), (b"\xff", b"{}")):
            await writer.commit("a", [Replace("main", [last], [new], [old])])
        await writer.commit("a", [Forget(":usage")])


async def test_what_the_sdk_made_is_read_with_select(owner: AsyncEngine, as_role: AsRole) -> None:
    if owner.dialect.name == "mysql":
        pytest.skip("the SDK can't make its tables on MySQL: their ids have no length")
    theirs: Any = TheirSession("a", engine=owner, create_tables=True)
    await theirs.add_items(ITEMS)
    for create_tables in (False, True):
        store = SQLAlchemyStore(as_role("reader"), create_tables=create_tables)
        session = SQLAlchemySession("a", as_role("reader"), create_tables=create_tables)
        assert await session.get_items() == ITEMS
        (head,) = await store.sessions()
        assert (head.log, head.length, head.note) == (Log("a"), 1, b"")
        assert await store.logs("a") == [head]
        assert await store.logs("b") == await store.read(Log("a", ":usage")) == []
        assert await store.append(Log("a"), [], key=Key("k")) == head.last
    # Reading has changed nothing, and sees at once what was made since.
    await SQLAlchemyStore(owner).annotate(Log("a"), b"note")
    assert [head.note for head in await store.sessions()] == [b"note"]


async def test_an_empty_database_reads_as_empty_and_stays_so(
    owner: AsyncEngine, as_role: AsRole
) -> None:
    for engine in (as_role("reader"), owner):
        store = SQLAlchemyStore(engine)
        assert await store.sessions() == await store.logs("a") == await store.read(Log("a")) == []
        with pytest.raises(SchemaError, match="no table 'agent_sessions' and 'agent_messages'"):
            await SQLAlchemyStore(engine, create_tables=False).read(Log("a"))
    async with owner.connect() as db:
        assert await db.run_sync(lambda db: inspect(db).get_table_names()) == []


async def test_missing_tables_and_missing_rights_are_named(
    owner: AsyncEngine, as_role: AsRole
) -> None:
    named = "turnlog_schema, turnlog_agent_messages_records.*`turnlog migrate`"
    for role in ("writer", "reader"):
        with pytest.raises(SchemaError, match=f"agent_sessions, agent_messages, {named}"):
            await SQLAlchemyStore(as_role(role)).append(Log("a"), [b"{}"])
    # The statements that it prints are all that is missing.
    store = SQLAlchemyStore(owner)
    statements = await store.changes()
    async with owner.begin() as db:
        for statement in statements:
            await db.execute(text(statement))
    assert await store.changes() == []
    session = SQLAlchemySession("a", as_role("writer"), create_tables=False)
    await session.add_items(ITEMS)
    assert await session.get_items() == ITEMS


async def test_a_migration_that_broke_off_goes_on(owner: AsyncEngine) -> None:
    store = SQLAlchemyStore(owner)
    statements = await store.changes()
    if owner.dialect.name == "mysql":  # elsewhere it is a transaction
        async with owner.begin() as db:
            for statement in statements[:4]:
                await db.execute(text(statement))
    await store.append(Log("a", ":usage"), [b"{}"], key=Key("k"))
    assert await store.changes() == []


async def test_only_what_is_missing_is_made(
    owner: AsyncEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    await SQLAlchemyStore(owner).migrate()
    async with owner.begin() as db:
        for table in ("records", "logs", "writes"):
            await db.execute(text(f"DROP TABLE turnlog_agent_messages_{table}"))
        await db.execute(text("DELETE FROM turnlog_schema"))
    again = create_async_engine(owner.url)
    statements = await SQLAlchemyStore(again).changes()
    assert not [each for each in statements if each.startswith("ALTER TABLE")]
    assert len([each for each in statements if each.startswith("CREATE TABLE")]) == 3
    await asyncio.gather(*(SQLAlchemyStore(again).migrate() for _ in range(4)))
    await SQLAlchemySession("a", again).add_items(ITEMS)
    await again.dispose()
    # asyncmy prints the server's notes, such as "Table … already exists".
    assert capfd.readouterr().err == ""
