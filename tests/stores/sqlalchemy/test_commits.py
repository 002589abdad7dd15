"""Commits on SQL databases: their round trips, and what they leave when they meet."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from agents.extensions.memory import SQLAlchemySession as TheirSession
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.servers.databases import MariaDBServer, PostgresServer
from tests.servers.proxy import Proxy
from turnlog import Log
from turnlog.changes import Annotate, Append, Change, Check, Forget, Key, Remove
from turnlog.errors import Conflict
from turnlog.stores.sqlalchemy import SQLAlchemyStore

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["postgres", "mariadb"])
async def engine(request: pytest.FixtureRequest) -> AsyncIterator[AsyncEngine]:
    server: PostgresServer | MariaDBServer = request.getfixturevalue(request.param)
    engine = create_async_engine(server.url(server.fresh_database()), pool_size=12)
    yield engine
    await engine.dispose()


@pytest.fixture
async def postgres_engine(postgres: PostgresServer) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(postgres.url(postgres.fresh_database()), pool_size=12)
    yield engine
    await engine.dispose()


def _start(end: int = 0, turn: bytes = b"") -> list[Change]:
    """What a run commits first: its claim, and the question."""
    question = Append("main", [b"?" + turn], end)
    return [Append(":lease", [b"me"], expect=0), Check(":queue", 0), question]


def _end(lease: int, turn: bytes = b"") -> list[Change]:
    """What a run commits last."""
    answer = Append("main", [b"!" + turn])
    return [answer, Append(":usage", [b"u"]), Remove(":lease", expect=lease)]


def _brief(name: str) -> Key:
    return Key(name, b"digest", brief=True)


# Round trips


def _statements(engine: AsyncEngine) -> list[str]:
    sent: list[str] = []

    def note(_db: Any, _cursor: Any, statement: str, *_rest: object) -> None:
        sent.append(" ".join(statement.split()))

    event.listen(engine.sync_engine, "before_cursor_execute", note)
    event.listen(engine.sync_engine, "commit", lambda _db: sent.append("COMMIT"))
    return sent


async def test_each_commit_of_a_run_is_one_statement(postgres_engine: AsyncEngine) -> None:
    store = SQLAlchemyStore(postgres_engine)
    await store.append(Log("other"), [b"1"])
    sent = _statements(postgres_engine)
    lists: list[Sequence[Change]] = [
        [Append(":queue", [b"ticket"])],
        [Append(":lease", [b"me"], expect=0, cut=0), Remove(":queue", before=9)],
        [Annotate("main", b"title", expect=b"")],
        [Annotate(":usage", b"note")],
        [Append("main", [b"1"] * 100)],
        [Remove("main")],
        [Append("main", [b"1"], cut=0)],
    ]
    lease = (await store.commit("s", _start(), key=_brief("start"))).positions[0]
    await store.commit("s", [Check(":lease", lease), Append("main", [b"tool"])], key=_brief("1"))
    renewed = await store.commit("s", [Append(":lease", [b"me"], expect=lease, cut=0)])
    await store.commit("s", _end(renewed.positions[0]), key=_brief("end"))
    for changes in lists:
        await store.commit("s", changes)
    assert (await store.commit("s", _start(9), key=_brief("start"))).replayed
    with pytest.raises(Conflict):
        await store.commit("s", _start(10**12))
    await store.commit("s", [Check(":lease", -1)], key=_brief("start"))
    assert len(sent) == 4 + len(lists) + 3, sent


async def test_elsewhere_it_is_one_short_transaction(mariadb: MariaDBServer) -> None:
    engine = create_async_engine(mariadb.url(mariadb.fresh_database()))
    store = SQLAlchemyStore(engine)
    lease = await store.append(Log("s", ":lease"), [b"me"])
    sent = _statements(engine)
    await store.commit("s", [Append(":lease", [b"me"], expect=lease, cut=0)])
    # The lock, the state, the record, the row of the log, and what goes.
    assert len(sent) == 5 + len(["COMMIT"]), sent
    sent.clear()
    await store.commit("s", [Annotate(":usage", b"note")], key=Key("k"))
    assert len(sent) == 5 + len(["COMMIT"]), sent
    sent.clear()
    for _ in range(20):
        await store.append(Log("s"), [b"1"])
    # The lock and the record; sometimes the length of the log is counted and noted.
    assert 20 * 3 <= len(sent) <= 20 * 3 + 16, sent
    await engine.dispose()


# Commits that meet


async def test_no_answer_without_its_question(engine: AsyncEngine) -> None:
    """Eight writers and one who deletes, on one session.

    The second commit of a turn needs the lease of the first, so it can't follow a deletion.
    """
    store = SQLAlchemyStore(engine)
    assert await _turns(store, writers=8, each=25, deletions=30)
    await _agree(store, engine, "s")


async def test_many_records_with_times_are_stored_in_order(engine: AsyncEngine) -> None:
    count = 4001  # more than one statement inserts
    payloads = [b"%d" % number for number in range(count)]
    times = [None if number % 3 == 2 else 1_000_000.0 + number // 2 for number in range(count)]
    async with SQLAlchemyStore(engine) as store:
        done = await store.commit("s", [Append("branch", payloads, expect=0, times=times)])
        records = await store.read(Log("s", "branch"))
        assert done.positions == (records.positions[-1],)
    assert list(records.payloads) == payloads
    pairs = list(zip(times, records.times, strict=True))
    assert all(stored == given for given, stored in pairs if given is not None)
    assert all(stored > 1e9 for given, stored in pairs if given is None)


async def test_a_row_that_was_changed_meanwhile_is_waited_for(engine: AsyncEngine) -> None:
    """Eight writers at once, each under a condition that the others don't touch."""
    store = SQLAlchemyStore(engine)
    await store.append(Log("s"), [b"first"])
    others = await asyncio.gather(
        *(
            store.commit("s", [Append(f"b{n}", [b"1"], expect=0), Append("main", [b"2"])], key=key)
            for n in range(8)
            for key in (Key(f"k{n}"), Key(f"k{n}"))
        )
    )
    assert len({done.positions for done in others}) == 8
    assert len(await store.read(Log("s"))) == 9
    await _agree(store, engine, "s")


async def _turns(store: SQLAlchemyStore, writers: int, each: int, deletions: int) -> int:
    """The number of whole turns that were made. Reads look at what they leave meanwhile."""

    async def write(writer: int) -> int:
        made = 0
        for number in range(each):
            name = f"{writer}.{number}"
            records = await store.read(Log("s"), limit=1)
            try:
                start = _start(records.positions[-1] if records else 0, name.encode())
                done = await store.commit("s", start, key=_brief(f"{name} start"))
                await store.commit("s", _end(done.positions[0], name.encode()), key=_brief(name))
                made += 1
            except Conflict:
                await asyncio.sleep(0.001)
        return made

    async def delete() -> int:
        for _ in range(deletions):
            await asyncio.sleep(0.01)
            await store.delete("s")
        return 0

    async def watch() -> None:
        while True:
            payloads = list((await store.read(Log("s"))).payloads)
            for place, payload in enumerate(payloads):
                if payload.startswith(b"!"):
                    assert place, payloads
                    assert payloads[place - 1] == b"?" + payload[1:], payloads
            await asyncio.sleep(0)

    watching = asyncio.create_task(watch())
    made = await asyncio.gather(*(write(writer) for writer in range(writers)), delete())
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
    return sum(made)


async def _agree(store: SQLAlchemyStore, engine: AsyncEngine, session: str) -> None:
    """Heads say what the logs hold, and nothing is left of deleted sessions."""
    for head in await store.logs(session):
        records = await store.read(head.log)
        last = records.positions[-1] if records else 0
        assert (head.last, head.length) == (last, len(records)), head
    names = store.tables
    async with engine.connect() as db:
        for table in (names.records, names.logs, names.writes):
            orphans = text(
                f"SELECT count(*) FROM {table} WHERE session_id NOT IN "
                f"(SELECT session_id FROM {names.sessions})"
            )
            assert (await db.execute(orphans)).scalar() == 0, table


async def test_their_clear_meets_our_cuts(postgres_engine: AsyncEngine) -> None:
    """The SDK locks the messages before the session, so that it may deadlock with us."""
    store = SQLAlchemyStore(postgres_engine)
    await store.append(Log("s"), [b"{}"])
    theirs: Any = TheirSession("s", engine=postgres_engine, create_tables=True)

    async def clear() -> None:
        for _ in range(40):
            try:
                await theirs.clear_session()
            except DBAPIError as error:
                assert "deadlock" in str(error)  # noqa: PT017 - theirs may lose, ours may not

    async def cut(name: str) -> None:
        for n in range(40):
            await store.commit("s", [Append("main", [b"{}", b"{}"]), Append(name, [b"%d" % n])])
            await store.commit("s", [Append("main", [b"{}"], cut=0)])
            await store.commit("s", [Remove("main"), Remove(name)])

    await asyncio.gather(clear(), cut("a"), cut("b"))
    await _agree(store, postgres_engine, "s")


async def test_deletions_and_commits_deadlock_with_nobody(engine: AsyncEngine) -> None:
    store = SQLAlchemyStore(engine)

    async def work(n: int) -> None:
        for turn in range(15):
            name = f"s{(n + turn) % 3}"
            await store.commit(name, [Append("side", [b"1"] * 3), Append("main", [b"1"])])
            await store.commit(name, [Remove("side", before=10**9), Forget(":usage")])
            await store.delete(name)

    await asyncio.gather(*(work(n) for n in range(8)))
    assert await store.sessions() == []
    await _agree(store, engine, "s0")


# What the database does by itself


async def test_a_length_that_the_sdk_changes_is_told(postgres_engine: AsyncEngine) -> None:
    store = SQLAlchemyStore(postgres_engine)
    theirs: Any = TheirSession("s", engine=postgres_engine, create_tables=True)
    await theirs.add_items([{"n": n} for n in range(100)])
    await store.append(Log("s"), [b"{}"])
    await _agree(store, postgres_engine, "s")
    await store.append(Log("s"), [b"{}"] * 100)  # so many that the length is noted
    columns = f"SELECT {store.tables.main_length} FROM agent_sessions"
    async with postgres_engine.connect() as db:
        assert (await db.execute(text(columns))).scalar() == 101
    for _ in range(3):
        await theirs.pop_item()
        await _agree(store, postgres_engine, "s")
        await theirs.add_items([{"n": 1}, {"n": 2}])
        await _agree(store, postgres_engine, "s")
        await store.append(Log("s"), [b"{}"])
        await _agree(store, postgres_engine, "s")
        await store.remove(Log("s"), before=20)
        await _agree(store, postgres_engine, "s")


async def test_few_records_are_counted_however_many_there_are(engine: AsyncEngine) -> None:
    store = SQLAlchemyStore(engine)
    for size in (1, 2000, 1, 30):
        for _ in range(40):
            await store.append(Log("s"), [b"{}"] * size)
            if size > 1:
                break
    async with engine.connect() as db:
        noted = text(
            f"SELECT count(*) FROM agent_messages WHERE id > "
            f"(SELECT {store.tables.main_last} FROM agent_sessions)"
        )
        assert (await db.execute(noted)).scalar_one() <= 1000
    await _agree(store, engine, "s")


async def test_brief_keys_are_purged_after_two_days(engine: AsyncEngine) -> None:
    store = SQLAlchemyStore(engine)
    await store.commit("s", [Append("main", [b"1"])], key=Key("old", brief=True))
    await store.commit("s", [Append("main", [b"1"])], key=Key("kept"))
    async with engine.begin() as db:
        await db.execute(text(f"UPDATE {store.tables.writes} SET day = 5 WHERE day > 0"))
    await store.commit("s", [Append("main", [b"2"])], key=Key("new", brief=True))
    async with engine.connect() as db:
        days = (await db.execute(text(f"SELECT day FROM {store.tables.writes}"))).scalars().all()
    assert len(days) == 2
    assert 5 not in days
    assert (await store.commit("s", [Append("main", [b"1"])], key=Key("kept"))).replayed


async def test_a_key_is_found_without_a_look_at_the_others(postgres: PostgresServer) -> None:
    database = postgres.fresh_database()
    engine = create_async_engine(postgres.url(database))
    store = SQLAlchemyStore(engine)
    await store.append(Log("s"), [b"{}"], key=Key("first"))
    # The server doesn't know yet how many there are. It looks like a session with few.
    many = (
        f"INSERT INTO {store.tables.writes} SELECT 's', 0, decode(md5(CAST(n AS TEXT)), 'hex'), "
        "'', '1' FROM generate_series(1, 20000) n"
    )
    async with engine.begin() as db:
        await db.execute(text(many))
    await store.append(Log("s"), [b"{}"], key=Key("second"))  # reads what the server caches
    pages = (
        "SELECT sum(idx_blks_hit + idx_blks_read) FROM pg_statio_user_indexes "
        f"WHERE relname = '{store.tables.writes}'"
    )

    async def seen() -> int:
        # A connection tells what it has read when it ends, and is listed until it has.
        await engine.dispose()
        others = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}'"
        watching = create_async_engine(postgres.url())
        async with watching.connect() as db:
            while (await db.execute(text(others))).scalar_one():
                await db.rollback()  # so that the next look is a new one
                await asyncio.sleep(0.01)
        await watching.dispose()
        async with engine.connect() as db:
            return int((await db.execute(text(pages))).scalar_one())

    before = await seen()
    for number in range(10):
        await store.append(Log("s"), [b"{}"], key=Key(f"k{number}"))
    assert await seen() - before < 10 * 40
    await engine.dispose()


# Lost answers


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
async def test_a_lost_answer_of_a_commit(kind: str, request: pytest.FixtureRequest) -> None:
    """With a key it is made once. With a condition alone, nobody knows whose write it was."""
    server: PostgresServer | MariaDBServer = request.getfixturevalue(kind)
    database = server.fresh_database()
    with Proxy(server.port) as proxy:
        url = server.url(database).replace(str(server.port), str(proxy.port))
        store = SQLAlchemyStore.from_url(url, engine_kwargs={"pool_size": 1})
        await store.append(Log("s"), [b"first"])
        lost = b"mine" if kind == "postgres" else b"COMMIT"
        proxy.lose_the_reply_to(lost)
        changes = [Append("main", [b"mine"], expect=1), Append(":usage", [b"u"])]
        done = await store.commit("s", changes, key=_brief("k"))
        assert done.replayed
        proxy.lose_the_reply_to(lost)
        with pytest.raises(DBAPIError):
            await store.commit("s", [Append("main", [b"mine"], expect=done.positions[0])])
        assert list((await store.read(Log("s"))).payloads) == [b"first", b"mine", b"mine"]
        proxy.lose_the_reply_to(b"COMMIT")
        await store.delete("s")
        assert await store.sessions() == []
        await store.aclose()
