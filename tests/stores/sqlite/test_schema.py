"""The schema: what others do to the file, older and newer versions, and plans of queries."""

import shutil
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests import ROOT
from turnlog.changes import Annotate, Append, Change, Check, Key, Remove
from turnlog.errors import Conflict, SchemaError
from turnlog.records import Log
from turnlog.stores.sqlite import SQLiteStore, Tables
from turnlog.stores.sqlite.reads import reads_of
from turnlog.stores.sqlite.schema import State
from turnlog.stores.tables import today

pytestmark = pytest.mark.anyio

OLDER = ROOT / "tests" / "data" / "older" / "sqlite.sqlite3"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SQLiteStore]:
    async with SQLiteStore(path) as store:
        yield store


def _run(path: Path, *statements: str) -> list[tuple[Any, ...]]:
    """The rows that the last of these statements finds, run by a hand that isn't ours."""
    with closing(sqlite3.connect(path)) as db, db:
        return [db.execute(statement).fetchall() for statement in statements][-1]


async def _length(store: SQLiteStore, name: str = "main") -> int:
    lengths = {head.log.name: head.length for head in await store.logs("a")}
    [listed] = await store.sessions(prefix="a")
    assert listed.length == lengths["main"]
    return lengths[name]


# Lengths


@pytest.mark.parametrize("name", ["main", "side"])
async def test_a_length_is_noted_and_not_counted(store: SQLiteStore, path: Path, name: str) -> None:
    await store.append(Log("a", name), [b"{}"] * 3)
    await store.append(Log("a"), [b"{}"])
    before = await _length(store, name)
    _run(path, "UPDATE agent_sessions SET turnlog_agent_messages_length = 1000")
    _run(path, "UPDATE turnlog_agent_messages_logs SET length = 1000")
    assert (before, await _length(store, name)) == (3 + (name == "main"), 1000)


async def test_what_others_do_to_main_changes_its_length(store: SQLiteStore, path: Path) -> None:
    log = Log("a")
    await store.append(log, [b"{}"] * 5)
    add = "INSERT INTO agent_messages (session_id, message_data) VALUES ('a', '{}')"
    pop = "DELETE FROM agent_messages WHERE id = (SELECT max(id) FROM agent_messages)"
    _run(path, add)
    assert await _length(store) == 6
    _run(path, pop, pop)
    assert await _length(store) == 4
    await store.append(log, [b"{}"])
    assert await _length(store) == 5
    _run(path, "DELETE FROM agent_messages WHERE id IN (2, 3)")
    assert await _length(store) == 3
    await store.append(log, [b"{}"] * 20)
    assert await _length(store) == 23
    _run(path, pop, add, add)
    assert await _length(store) == 24
    await store.commit("a", [Remove("main", after=10), Annotate("main", b"note")])
    assert await _length(store) == len(await store.read(log))


async def test_who_deletes_a_session_deletes_all_of_it(store: SQLiteStore, path: Path) -> None:
    changes: list[Change] = [
        Append("main", [b"{}"]),
        Append(":usage", [b"{}"]),
        Annotate("main", b"note"),
    ]
    await store.commit("a", changes, key=Key("once"))
    _run(path, "DELETE FROM agent_sessions")
    for table in ("agent_messages", *(f"turnlog_agent_messages_{x}" for x in _OURS)):
        assert _run(path, f"SELECT count(*) FROM {table}") == [(0,)]
    assert not (await store.commit("a", changes, key=Key("once"))).replayed


_OURS = ("records", "logs", "writes")


# Keys


async def test_old_brief_keys_are_purged(store: SQLiteStore, path: Path) -> None:
    for name, is_brief in (("kept", False), ("old", True), ("new", True)):
        change = Append("main", [name.encode()])
        await store.commit("a", [change], key=Key(name, brief=is_brief))
    old = Key("old").hash.hex()
    move = f"UPDATE turnlog_agent_messages_writes SET day = {{}} WHERE hash = x'{old}'"
    _run(path, move.format(today() - 1))
    asked = [Check("main", -1)]
    assert (await store.commit("a", asked, key=Key("old"))).replayed
    _run(path, move.format(today() - 2))
    await store.append(Log("a"), [b"{}"], key=Key("next"))
    with pytest.raises(Conflict):
        await store.commit("a", asked, key=Key("old"))
    for name in ("kept", "new", "next"):
        assert (await store.commit("a", asked, key=Key(name))).replayed


# Versions


async def test_logs_of_a_session_without_a_row_are_kept(path: Path) -> None:
    shutil.copy(OLDER, path)
    _run(
        path,
        "INSERT INTO turnlog_agent_messages_heads VALUES "
        "('lonely', 'side', '2026-01-01 00:00:00.5', '2026-01-02 00:00:00.5', x'01')",
        "INSERT INTO turnlog_agent_messages_records (session_id, name, payload) "
        "VALUES ('lonely', 'side', x'02')",
        "INSERT INTO turnlog_agent_messages_keys VALUES ('lonely', 'side', 'k', 7)",
    )
    async with SQLiteStore(path) as store:
        side = Log("lonely", "side")
        again = await store.append(side, [b"{}"], key=Key.of(side, "k"))
        heads = await store.logs("lonely")
        assert again == 7
        assert [(head.log.name, head.length, head.note) for head in heads] == [
            ("main", 0, b""),
            ("side", 1, b"\x01"),
        ]
        assert (await store.sessions(oldest=True))[0].log == Log("lonely")
        assert [record.payload for record in await store.read(side)] == [b"\x02"]


async def test_a_long_log_has_its_length_noted_when_a_file_is_migrated(path: Path) -> None:
    shutil.copy(OLDER, path)
    _run(
        path,
        "INSERT INTO agent_messages (session_id, message_data) "
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
        "SELECT 'gaps', '{}' FROM n",
    )
    async with SQLiteStore(path) as store:
        before = {head.log: head.length for head in await store.sessions()}
        await store.append(Log("plain"), [b"{}"])
        after = {head.log: head.length for head in await store.sessions()}
    assert after == {**before, Log("plain"): before[Log("plain")] + 1}
    noted = "SELECT turnlog_agent_messages_length FROM agent_sessions WHERE session_id = 'gaps'"
    assert _run(path, noted) == [(before[Log("gaps")],)]


@pytest.mark.parametrize("verb", ["commit", "logs", "sessions"])
async def test_a_newer_version_is_noticed_while_it_is_made(
    store: SQLiteStore, path: Path, verb: str
) -> None:
    await store.commit("a", [Append("main", [b"{}"]), Append("side", [b"{}"])])
    assert len(await store.logs("a")) == 2
    _run(
        path,
        # It names a table that only the SDK makes, and SQLite minds when it renames.
        "DROP TRIGGER turnlog_agent_messages_guard",
        "ALTER TABLE turnlog_agent_messages_logs RENAME TO turnlog_agent_messages_later",
        "ALTER TABLE agent_sessions RENAME COLUMN turnlog_agent_messages_length TO later",
        "UPDATE turnlog_schema SET version = version + 1",
    )
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "commit": lambda: store.append(Log("a", "side"), [b"{}"]),
        "logs": lambda: store.logs("a"),
        "sessions": store.sessions,
    }
    for _ in range(2):
        with pytest.raises(SchemaError, match="upgrade turnlog"):
            await calls[verb]()
    assert _run(path, "SELECT count(*) FROM turnlog_agent_messages_records") == [(1,)]


async def test_two_tables_of_messages_may_share_a_table_of_sessions(
    store: SQLiteStore, path: Path
) -> None:
    async with SQLiteStore(path, tables=Tables(messages="others")) as other:
        await store.append(Log("a"), [b"{}"] * 3)
        await other.append(Log("a"), [b"{}"])
        await other.annotate(Log("a"), b"other")
        await store.append(Log("a"), [b"{}"])
        [head], [theirs] = await store.logs("a"), await other.logs("a")
        assert (head.length, head.note) == (4, b"")
        assert (theirs.length, theirs.note) == (1, b"other")
        assert store.identity != other.identity


def test_identity_knows_names_that_differ_in_case(path: Path) -> None:
    assert SQLiteStore(path).identity == SQLiteStore(path, tables=Tables("AGENT_sessions")).identity
    several = [SQLiteStore(path, tables=Tables("ä")), SQLiteStore(path, tables=Tables("Ä"))]
    assert len({store.identity for store in several}) == 2


# Plans


@pytest.mark.parametrize("is_analyzed", [False, True])
@pytest.mark.parametrize("oldest", [False, True])
async def test_pages_come_from_an_index(
    store: SQLiteStore, path: Path, *, oldest: bool, is_analyzed: bool
) -> None:
    for number in range(30):
        await store.append(Log(f"a{number}"), [b"{}"])
    if is_analyzed:
        _run(path, "ANALYZE")
    reads = reads_of(Tables(), State.CURRENT)
    assert reads is not None
    assert reads.by_time is not None
    [by_time, *more] = _inner_plan(path, reads.by_time[oldest])
    assert "INDEX turnlog_agent_sessions_changed (<expr>" in by_time
    assert not any("B-TREE" in step for step in more)
    [by_id, *_] = _inner_plan(path, reads.by_id[oldest])
    assert "INDEX sqlite_autoindex_agent_sessions_1 (session_id>? AND session_id<?)" in by_id


def _inner_plan(path: Path, statement: str) -> list[str]:
    """How a page is found, inside the statement that reads its heads."""
    with closing(sqlite3.connect(path)) as db:
        values = ("a", b"", "2026", "a", 50)
        steps = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
    start = next(i for i, step in enumerate(steps) if step.startswith("LIST SUBQUERY")) + 1
    end = next(i for i, step in enumerate(steps) if step.startswith("CORRELATED"))
    return steps[start:end]
