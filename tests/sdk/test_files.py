"""One database file for us and for the OpenAI Agents SDK, in any order and at once."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import agents
import pytest

import turnlog
from tests.sdk.files import MORE, ours, theirs, write
from turnlog import Log
from turnlog.changes import Key
from turnlog.stores.sqlite import SQLiteStore

pytestmark = pytest.mark.anyio

ITEMS: list[Any] = [
    {"role": "user", "content": "Grüße, 世界 👩‍🚀 \u2028 \x1f \\ \" ' \x00"},
    {"z": 1, "a": {"y": [1, 2.0, -0.0, 1e300, True, None], "b": ""}, "": {}},
    {"big": 2**64, "bigger": -(10**40), "long": 9007199254740993},
    {"half an emoji": "\ud83d", "digits": "12345678901234567890"},
    {"type": "function_call", "call_id": "c1", "name": "add", "arguments": '{"a": 1}'},
    {"role": "assistant", "content": [{"type": "output_text", "text": "x" * 5000}]},
]

PLAIN = ["SQLiteSession", "AsyncSQLiteSession", "SQLAlchemySession"]

ALL = [*PLAIN, "AdvancedSQLiteSession"]


def exactly(items: object) -> str:
    """With the order of keys, and 1 told from 1.0 and True."""
    return json.dumps(items)


# One after the other


@pytest.mark.parametrize("kind", ALL)
async def test_a_file_of_theirs_opens_and_continues(kind: str, path: Path) -> None:
    async with theirs(path, kind) as session:
        await session.add_items(ITEMS)
    async with ours(path) as session:
        assert exactly(await session.get_items()) == exactly(ITEMS)
        assert exactly(await session.get_items(2)) == exactly(ITEMS[-2:])
        await session.add_items(MORE)
        assert exactly(await session.get_items()) == exactly(ITEMS + MORE)


@pytest.mark.parametrize("kind", PLAIN)
async def test_a_file_of_ours_opens_and_continues(kind: str, path: Path) -> None:
    async with ours(path) as session:
        await session.add_items(ITEMS)
        await session.add_items(MORE)
    async with theirs(path, kind) as session:
        assert exactly(await session.get_items()) == exactly(ITEMS + MORE)
        assert exactly(await session.get_items(3)) == exactly((ITEMS + MORE)[-3:])
        await session.add_items(ITEMS)
    async with ours(path) as session:
        assert exactly(await session.get_items()) == exactly(ITEMS + MORE + ITEMS)


@pytest.mark.parametrize("kind", PLAIN)
async def test_looking_changes_nothing(kind: str, path: Path) -> None:
    async with theirs(path, kind) as session:
        await session.add_items(ITEMS)
    before = tables_in(path)
    async with SQLiteStore(path) as store:
        (head,) = await store.sessions()
        assert (head.log, head.length, head.note) == (Log("a"), len(ITEMS), b"")
        assert await store.logs("a") == [head]
        assert len(await store.read(head.log)) == len(await store.read(head.log, limit=99))
        assert await store.read(Log("a", ":usage")) == []
        assert await store.read(head.log, limit=1) == [(await store.read(head.log))[-1]]
    assert tables_in(path) == before
    async with ours(path) as session:
        assert await session.pop_item() == ITEMS[-1]
    assert tables_in(path) > before


async def test_looking_at_somebody_elses_file_adds_no_table(path: Path) -> None:
    write(path, "CREATE TABLE agent_sessions_of_my_own (id)")
    before = tables_in(path)
    async with SQLiteStore(path) as store:
        assert await store.sessions() == []
        assert await store.logs("a") == []
        assert await store.read(Log("a")) == []
    assert tables_in(path) == before


def tables_in(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as db:
        return {name for (name,) in db.execute("SELECT name FROM sqlite_master")}


async def test_what_is_no_json_to_others_is_still_read(path: Path) -> None:
    odd = [{"n": float("nan")}, {"n": float("inf"), "k": 1}, {"n": float("-inf")}]
    async with theirs(path) as session:
        await session.add_items(odd)
    async with ours(path) as session:
        await session.add_items(MORE)
        assert exactly(await session.get_items()) == exactly(odd + MORE)
        await session.pop_item()
        await session.pop_item()
        assert exactly(await session.pop_item()) == exactly(odd[-1])


async def test_spaces_in_their_json_are_no_matter(path: Path) -> None:
    async with theirs(path) as session:
        await session.add_items(MORE)
    write(path, "UPDATE agent_messages SET message_data = ' ' || message_data || char(10)")
    async with ours(path) as session:
        assert await session.get_items() == MORE


async def test_order_is_that_of_insertion_whatever_the_timestamps(path: Path) -> None:
    async with theirs(path) as session:
        await session.add_items(ITEMS)
    write(path, "UPDATE agent_messages SET created_at = datetime('2030-01-01', -id || ' days')")
    async with ours(path) as session:
        assert exactly(await session.get_items()) == exactly(ITEMS)
        assert exactly(await session.get_items(2)) == exactly(ITEMS[-2:])
        assert exactly(await session.pop_item()) == exactly(ITEMS[-1])


# Taking back


@pytest.mark.parametrize("kind", PLAIN)
async def test_they_pop_and_clear_what_is_ours(kind: str, path: Path) -> None:
    async with ours(path) as mine, ours(path, "b") as untouched, theirs(path, kind) as session:
        await mine.add_items(MORE)
        await untouched.add_items(MORE)
        assert await session.pop_item() == MORE[1]
        assert await mine.get_items() == MORE[:1]
        await session.clear_session()
        assert await mine.get_items() == []
        assert await mine.pop_item() is None
        await mine.add_items(ITEMS)
        assert exactly(await session.get_items()) == exactly(ITEMS)
        assert await untouched.get_items() == MORE


@pytest.mark.parametrize("kind", ALL)
async def test_we_pop_and_clear_what_is_theirs(kind: str, path: Path) -> None:
    async with ours(path) as mine, theirs(path, kind) as session:
        await session.add_items(MORE)
        assert await mine.pop_item() == MORE[1]
        assert await session.get_items() == MORE[:1]
        await mine.clear_session()
        assert await session.get_items() == []
        assert await session.pop_item() is None
        await session.add_items(MORE)
        assert await mine.get_items() == MORE


async def test_positions_are_not_used_again_after_they_clear(path: Path) -> None:
    store = SQLiteStore(path)
    before = await store.append(Log("a"), [b"{}"])
    async with theirs(path) as session:
        await session.clear_session()
        await session.add_items(MORE)
    records = await store.read(Log("a"))
    assert min(records.positions) > before
    await store.aclose()


async def test_what_they_clear_is_forgotten_whole(path: Path) -> None:
    """Also the note and the keys, as when we clear it ourselves."""
    store = SQLiteStore(path)
    await store.append(Log("a"), [b"{}"], key=Key("k"))
    await store.annotate(Log("a"), b"title")
    async with theirs(path) as session:
        await session.clear_session()
    await store.append(Log("a"), [b'{"n": 1}'], key=Key("k"))
    [head] = await store.logs("a")
    assert (head.length, head.note) == (1, b"")
    await store.aclose()


# What is not theirs to see


@pytest.mark.parametrize("kind", PLAIN)
async def test_other_logs_of_a_session_are_invisible(kind: str, path: Path) -> None:
    store = SQLiteStore(path)
    await store.append(Log("a"), [b'{"n": 1}'])
    for name in (":usage", ":lease", "branch", ":summaries@main"):
        await store.append(Log("a", name), [b'{"hidden": true}'])
        await store.annotate(Log("a", name), b"hidden")
    async with theirs(path, kind) as session:
        assert await session.get_items() == [{"n": 1}]
        assert await session.get_items(10) == [{"n": 1}]
        assert await session.pop_item() == {"n": 1}
        assert await session.pop_item() is None
        await session.add_items(MORE)
    assert len(await store.read(Log("a", "branch"))) == 1
    assert [head.log.name for head in await store.logs("a")] == [
        ":lease",
        ":summaries@main",
        ":usage",
        "branch",
        "main",
    ]
    await store.aclose()


CUSTOM = {"sessions_table": "my_sessions", "messages_table": "my_messages"}


@pytest.mark.parametrize("kind", ALL)
async def test_custom_tables(kind: str, path: Path) -> None:
    async with theirs(path, kind, **CUSTOM) as session, ours(path, **CUSTOM) as mine:
        await session.add_items(ITEMS)
        await mine.add_items(MORE)
        assert exactly(await mine.get_items()) == exactly(ITEMS + MORE)
    async with ours(path) as elsewhere:
        assert await elsewhere.get_items() == []


async def test_two_pairs_of_tables_in_one_file(path: Path) -> None:
    async with ours(path) as one, ours(path, **CUSTOM) as two:
        await asyncio.gather(one.add_items(ITEMS), two.add_items(MORE))
        async with theirs(path) as one_too, theirs(path, **CUSTOM) as two_too:
            assert exactly(await one_too.get_items()) == exactly(ITEMS)
            assert exactly(await two_too.get_items()) == exactly(MORE)
            await two_too.clear_session()
        assert await two.get_items() == []
        assert exactly(await one.get_items()) == exactly(ITEMS)


async def test_a_strangers_row_with_only_a_session_id(path: Path) -> None:
    async with ours(path) as session:
        await session.add_items(MORE)
        write(path, "INSERT INTO agent_sessions (session_id) VALUES ('b')")
        write(path, "INSERT INTO agent_messages (session_id, message_data) VALUES ('b', '{}')")
        heads = await session.store.sessions()
    assert sorted(head.log.session for head in heads) == ["a", "b"]
    async with ours(path, "b") as session:
        assert await session.get_items() == [{}]


def test_both_write_the_same_rows(tmp_path: Path) -> None:
    """Type for type, so that whoever reads the tables with SQL sees no difference."""
    rows = []
    for name, make in (("ours", turnlog.SQLiteSession), ("theirs", agents.SQLiteSession)):
        with closing(make("a", tmp_path / name)) as session:
            asyncio.run(session.add_items(MORE))
        with closing(sqlite3.connect(tmp_path / name)) as db:
            rows.append(
                db.execute(
                    "SELECT typeof(id), session_id, json(message_data), typeof(message_data), "
                    "length(created_at) FROM agent_messages"
                ).fetchall()
            )
    assert rows[0] == rows[1]
