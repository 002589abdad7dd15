"""Subclasses, replaced methods and wrappers, as users of the OpenAI Agents SDK write them."""

import asyncio
import inspect
import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from agents.extensions.memory import EncryptedSession

import turnlog
from tests.sdk.sessions import FILES, OURS, Make, close, numbered, some
from turnlog import sync

pytestmark = pytest.mark.anyio


# Replacing and overriding


async def test_methods_may_be_replaced_on_an_instance(session: Any) -> None:
    original = session.get_items

    async def louder(limit: int | None = None) -> list[Any]:
        return [{**item, "content": item["content"] + "!"} for item in await original(limit)]

    session.get_items = louder
    session.remark = "people keep their own things on sessions"
    await session.add_items(numbered(1))
    assert await session.get_items() == [{"role": "user", "content": "0!"}]


class Shouting(turnlog.SQLiteSession):
    async def add_items(self, items: Any, **options: Any) -> None:
        loud = [{**item, "content": item["content"].upper()} for item in items]
        await super().add_items(loud, **options)

    async def pop_item(self) -> turnlog.Item | None:
        item = await super().pop_item()
        return item and {**item, "popped": True}


HELLO = {"role": "user", "content": "hello"}


async def test_subclasses_call_super() -> None:
    session = Shouting("a")
    await session.add_items([HELLO])
    assert await session.get_items() == [{"role": "user", "content": "HELLO"}]
    assert await session.pop_item() == {"role": "user", "content": "HELLO", "popped": True}


def test_the_blocking_twin_goes_through_the_overrides() -> None:
    twin = sync.BlockingSession(Shouting("a"))
    twin.add_items([HELLO])
    assert twin.get_items() == [{"role": "user", "content": "HELLO"}]
    assert (twin.pop_item() or {})["popped"]


@some(OURS)
async def test_a_wrapper_of_the_sdk_goes_over_ours(session: Any) -> None:
    wrapper = EncryptedSession("a", session, encryption_key="a key for this test alone")
    await wrapper.add_items(numbered(3))
    assert await wrapper.get_items() == numbered(3)
    assert await wrapper.get_items(2) == numbered(2, 1)
    assert "content" not in json.dumps(await session.get_items())
    assert await wrapper.pop_item() == numbered(1, 2)[0]
    await wrapper.clear_session()
    assert await session.get_items() == []


@some(OURS)
async def test_the_runner_passes_no_wrapper(session: Any) -> None:
    """It would, to a session whose methods have a parameter of that name."""
    for verb in (session.get_items, session.add_items, session.pop_item, session.clear_session):
        parameters = inspect.signature(verb).parameters
        assert "wrapper" not in parameters
        assert not any(p.kind is p.VAR_KEYWORD for p in parameters.values())


# SQLite


@pytest.mark.parametrize("form", [str, Path], ids=["str", "path"])
@pytest.mark.parametrize("make_session", [turnlog.SQLiteSession, turnlog.AsyncSQLiteSession])
async def test_id_and_path_are_positional(make_session: Make, form: Make, path: Path) -> None:
    for _ in range(2):
        session = make_session("a", form(path))
        await session.add_items(numbered(1))
        await close(session)
    session = make_session("a", form(path), "agent_sessions", "agent_messages", {"limit": 1})
    assert await session.get_items() == numbered(1)
    assert len(await session.get_items(5)) == 2
    assert session.session_id == "a"
    assert session.db_path == form(path)
    await close(session)


async def test_a_relative_path_is_that_of_the_moment_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    session = turnlog.SQLiteSession("a", "c.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    await session.add_items(numbered(1))
    session.close()
    assert (tmp_path / "c.db").exists()


async def test_close_is_synchronous_and_on_the_async_session_awaited() -> None:
    session = turnlog.SQLiteSession("a")
    closing = session.close()
    assert session.closed
    assert not inspect.iscoroutine(closing)  # so nothing warns if it is not awaited
    assert await closing is None
    assert inspect.iscoroutinefunction(turnlog.AsyncSQLiteSession.close)


@pytest.mark.parametrize("db_path", [":memory:", Path(":memory:")])
@pytest.mark.parametrize("make_session", [turnlog.SQLiteSession, turnlog.AsyncSQLiteSession])
async def test_memory_is_one_database_per_instance(
    make_session: Make, db_path: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one, two = make_session("a", db_path), make_session("a", db_path)
    await one.add_items(numbered(1))
    assert await two.get_items() == []
    assert list(tmp_path.iterdir()) == []


async def test_any_thread_and_any_loop(session: Any) -> None:
    """Threads with loops of their own share one instance."""

    def work(number: int) -> None:
        async def talk() -> None:
            for n in range(5):
                await session.add_items([{"by": number, "n": n}])
                assert len(await session.get_items(3)) <= 3

        asyncio.run(talk())

    with ThreadPoolExecutor(8) as pool:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(pool, work, number) for number in range(8)))
    items = await session.get_items()
    assert len(items) == 40
    for number in range(8):
        assert [item["n"] for item in items if item["by"] == number] == list(range(5))


@some([*FILES, "sdk file"])
async def test_others_may_insert_a_session_by_its_id_alone(make: Make, path: Path) -> None:
    await make().add_items(numbered(1))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("INSERT INTO agent_sessions (session_id) VALUES ('b')")
        db.execute("INSERT INTO agent_messages (session_id, message_data) VALUES ('b', '{}')")
    assert await make("b").get_items() == [{}]
    assert await make("a").get_items() == numbered(1)
