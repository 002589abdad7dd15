"""Lists of sessions, and lengths of logs: read from an index and from what was noted."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from agents.extensions.memory import SQLAlchemySession as TheirSession
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.servers.databases import MariaDBServer, PostgresServer
from turnlog import Log
from turnlog.stores.sqlalchemy import SQLAlchemyStore, Tables, listing
from turnlog.stores.sqlalchemy.mysql import MySQL
from turnlog.stores.sqlalchemy.postgresql import PostgreSQL
from turnlog.stores.sqlalchemy.schema_mysql import MySQLSchema
from turnlog.stores.sqlalchemy.schema_postgresql import PostgreSQLSchema
from turnlog.stores.sqlalchemy.schema_sqlite import SQLiteSchema
from turnlog.stores.sqlalchemy.sqlite import SQLite
from turnlog.testing.looking import all_sessions, head_of
from turnlog.testing.promises.listing import IDS

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["postgres", "mariadb", "sqlite"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """An engine on an empty database."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path}/a.db"
    else:
        server: PostgresServer | MariaDBServer = request.getfixturevalue(request.param)
        url = server.url(server.fresh_database())
    engine = create_async_engine(url)
    yield engine
    await engine.dispose()


async def _execute(engine: AsyncEngine, *statements: str) -> None:
    async with engine.begin() as db:
        for statement in statements:
            await db.execute(text(statement.replace(":", "\\:")))


@pytest.mark.parametrize("budget", [1, 3, 1000])
async def test_a_prefix_is_found_by_either_index(
    engine: AsyncEngine, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "_BUDGET", budget)
    store = SQLAlchemyStore(engine)
    for session in IDS:
        if store._dialect.can_hold(Log(session)):
            await store.append(Log(session), [b"1"])
    newest_first = list(reversed(IDS))
    for prefix in ("a", "a%", "\U0010ffff", "é", "b", "nothing"):
        expected = [session for session in newest_first if session.startswith(prefix)]
        for page in (1, 2, 50):
            assert await all_sessions(store, prefix=prefix, page=page) == expected
            assert await _oldest_first(store, prefix, page) == expected[::-1]


async def _oldest_first(store: SQLAlchemyStore, prefix: str, limit: int) -> list[str]:
    found: list[str] = []
    page = await store.sessions(prefix=prefix, limit=limit, oldest=True)
    while page:
        found += [head.log.session for head in page]
        page = await store.sessions(prefix=prefix, limit=limit, after=page[-1].cursor, oldest=True)
    return found


async def test_times_that_are_equal_or_null(engine: AsyncEngine) -> None:
    """A column of others' may be null; SQLite's always may."""
    kind = {"mysql": "DATETIME(6) NULL"}.get(engine.dialect.name, "TIMESTAMP NULL")
    name = "VARCHAR(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
    name = name if engine.dialect.name == "mysql" else "VARCHAR(40)"
    rows = [f"('{n:02}', '2025-01-0{n % 3 + 1} 00:00:00', NULL)" for n in range(9)]
    rows += [f"('{n}', '2024-01-01 00:00:00', '2025-01-02 00:00:00')" for n in "AZaz"]
    await _execute(
        engine,
        f"CREATE TABLE agent_sessions (session_id {name} PRIMARY KEY, created_at {kind}, "
        f"updated_at {kind})",
        f"CREATE TABLE agent_messages (id INTEGER PRIMARY KEY, session_id {name} NOT NULL, "
        f"message_data TEXT NOT NULL, created_at {kind}, FOREIGN KEY (session_id) "
        "REFERENCES agent_sessions (session_id) ON DELETE CASCADE)",
        f"INSERT INTO agent_sessions VALUES {', '.join(rows)}",
    )
    store = SQLAlchemyStore(engine)
    times = {f"{n:02}": n % 3 for n in range(9)} | dict.fromkeys("AZaz", 1)
    expected = sorted(times, key=lambda session: (times[session], session))
    for _ in range(2):
        for page in (1, 2, 50):
            assert await _oldest_first(store, "", page) == expected
            assert await all_sessions(store, page=page) == expected[::-1]
        await store.migrate()


# What a page reads is counted by the server.

MANY = 20_000
PREFIXES = {"": 50, "common-": 50, "hundredth-": 50, "rare-": 3, "old-": 50, "absent-": 0}
# Of this many, in this order of time: the old ones lie at the far end of the index.
_ID = """
    {concat}(CASE WHEN {n} <= 900 THEN 'old-' WHEN {n} % 2 = 0 THEN 'common-'
        WHEN {n} % 100 = 1 THEN 'hundredth-' WHEN {n} % 5000 = 3 THEN 'rare-' ELSE 'x-' END, {n})
"""


async def _filled(engine: AsyncEngine) -> None:
    await SQLAlchemyStore(engine).migrate()
    is_mysql = engine.dialect.name == "mysql"
    number = "seq" if is_mysql else "n"
    source = f"seq_1_to_{MANY}" if is_mysql else f"generate_series(1, {MANY}) AS n"
    moment = "timestamp '2025-01-01 00:00:00' + interval " + (
        "seq second" if is_mysql else "'1 second' * n"
    )
    chosen = _ID.format(concat="concat", n=number)
    analyze = "ANALYZE TABLE agent_sessions" if is_mysql else "ANALYZE agent_sessions"
    await _execute(
        engine,
        "INSERT INTO agent_sessions (session_id, created_at, updated_at) "
        f"SELECT {chosen}, {moment}, {moment} FROM {source}",
        analyze,
    )


def _read_by_postgresql(db: Connection) -> int:
    """How many rows and entries of indexes this transaction has read."""
    tables = db.execute(
        text("SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'agent_sessions'")
    ).scalar_one()
    indexes = db.execute(
        text(
            "SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid)) FROM pg_index "
            "WHERE indrelid = 'agent_sessions'\\:\\:regclass"
        )
    ).scalar_one()
    return int(tables) + int(indexes)


def _read_by_mysql(db: Connection) -> int:
    counters = db.execute(text("SHOW SESSION STATUS LIKE 'Handler_read%'")).all()
    return sum(int(count) for name, count in counters if name != "Handler_read_rnd_deleted")


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
async def test_a_page_reads_few_rows_of_many(kind: str, request: pytest.FixtureRequest) -> None:
    server: PostgresServer | MariaDBServer = request.getfixturevalue(kind)
    engine = create_async_engine(server.url(server.fresh_database()))
    await _filled(engine)
    dialect, schema, count = (
        (PostgreSQL, PostgreSQLSchema, _read_by_postgresql)
        if kind == "postgres"
        else (MySQL, MySQLSchema, _read_by_mysql)
    )

    def read(db: Connection, prefix: str, oldest: bool) -> tuple[int, int]:
        sql = dialect(Tables(), schema(Tables()).look(db))
        before = count(db)
        heads = sql.sessions(db, prefix, None, 50, oldest)
        second = sql.sessions(db, prefix, heads[-1].cursor, 50, oldest) if heads else []
        assert not {head.log for head in heads} & {head.log for head in second}
        return len(heads), count(db) - before

    async with engine.connect() as db:
        for prefix, length in PREFIXES.items():
            for oldest in (False, True):
                for _ in range(7):  # a server may change its plan after some runs
                    found, rows = await db.run_sync(read, prefix, oldest)
                    assert found == length
                    assert found <= rows < MANY / 2, (prefix, oldest)
                    await db.rollback()
    await engine.dispose()


async def test_sqlite_walks_the_index(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/a.db")
    store = SQLAlchemyStore(engine)
    await store.migrate()
    plans: list[str] = []

    def explained(db: Connection) -> None:
        sql = SQLite(Tables(), SQLiteSchema(Tables()).look(db))
        execute: Callable[..., Any] = db.execute

        def explaining(statement: Any, values: dict[str, object]) -> Any:
            plan = execute(text(f"EXPLAIN QUERY PLAN {statement.text}"), values)
            plans.append("\n".join(row[3] for row in plan))
            return execute(statement, values)

        db.execute = explaining  # type: ignore[method-assign,assignment]
        for oldest in (False, True):
            heads = sql.sessions(db, "", None, 2, oldest)
            sql.sessions(db, "", heads[-1].cursor, 2, oldest)

    for session in "abc":
        await store.append(Log(session), [b"1"])
    async with engine.connect() as db:
        await db.run_sync(explained)
    assert len(plans) == 4
    for plan in plans:
        assert "s USING INDEX" in plan or "s USING COVERING INDEX" in plan
        assert "SCAN s\n" not in plan + "\n"
    await engine.dispose()


# Lengths


async def test_a_long_log_is_not_counted(engine: AsyncEngine) -> None:
    store, names = SQLAlchemyStore(engine), Tables()
    await store.append(Log("a"), [b"1"] * 3)
    await store.append(Log("a", "side"), [b"1"] * 3)
    await _execute(
        engine,
        f"UPDATE agent_sessions SET {names.main_length} = {names.main_length} + 1000",
        f"UPDATE {names.logs} SET length = length + 1000",
    )
    assert [head.length for head in await store.logs("a")] == [1003, 1003]
    assert [head.length for head in await store.sessions()] == [1003]
    await store.append(Log("a"), [b"1"])
    assert (await head_of(store, Log("a"))).length == 1004


async def test_lengths_where_the_sdk_writes_too(engine: AsyncEngine) -> None:
    if engine.dialect.name == "mysql":
        pytest.skip("the SDK can't make its tables on MySQL: their ids have no length")
    theirs: Any = TheirSession("a", engine=engine, create_tables=True)
    store, log = SQLAlchemyStore(engine), Log("a")
    item: Any = {"role": "user", "content": "hello"}

    async def length() -> int:
        (listed,), head = await store.sessions(), await head_of(store, log)
        assert listed == head
        return head.length

    await theirs.add_items([item] * 2)
    assert await length() == 2
    last = await store.append(log, [b"{}"] * 3)
    assert await length() == 5
    await theirs.add_items([item] * 2)
    assert await length() == 7
    for left in (6, 5, 4, 3):
        await theirs.pop_item()
        assert await length() == left
    await theirs.add_items([item])
    assert await length() == 4
    await store.append(log, [b"{}"])
    assert await length() == 5
    await store.remove(log, before=last - 2)
    assert await length() == 3
    await theirs.clear_session()
    assert await store.sessions() == []
