"""Closing, failing and cancelled calls, as users of the OpenAI Agents SDK rely on them."""

import asyncio
import inspect
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.sdk.sessions import FILES, OURS, Make, close, numbered, some
from turnlog import InvalidItem, StoredSession
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

CLOSABLE = ["file", "memory", "async file", "async memory"]


# Closing


def verbs(session: Any) -> list[Callable[[], Awaitable[Any]]]:
    return [
        session.get_items,
        lambda: session.get_items(0),
        lambda: session.add_items(numbered(1)),
        lambda: session.add_items([]),
        session.pop_item,
        session.clear_session,
    ]


@pytest.mark.parametrize("used", [True, False], ids=["used", "unused"])
@some([*CLOSABLE, "sdk file", "sdk memory"])
async def test_after_close_every_verb_says_so(session: Any, *, used: bool) -> None:
    if used:
        await session.add_items(numbered(1))
    await close(session)
    await close(session)
    for verb in verbs(session):
        with pytest.raises(RuntimeError, match=rf"^{type(session).__name__} is closed$"):
            await verb()


@some(CLOSABLE)
async def test_closing_twice_at_once_is_fine(session: Any) -> None:
    await session.add_items(numbered(1))
    loop = asyncio.get_running_loop()
    if inspect.iscoroutinefunction(session.close):
        await asyncio.gather(*(session.close() for _ in range(8)))
    else:
        with ThreadPoolExecutor(8) as pool:
            await asyncio.gather(*(loop.run_in_executor(pool, session.close) for _ in range(8)))
    with pytest.raises(RuntimeError, match="is closed"):
        await session.get_items()


@some(FILES)
async def test_closing_one_leaves_the_others_on_the_file(make: Make) -> None:
    one, two, late = make(), make(), make("b")
    await one.add_items(numbered(1))
    await close(one)
    assert await two.get_items() == numbered(1)
    await late.add_items(numbered(2))
    await close(two)
    assert await late.get_items() == numbered(2)


async def test_a_store_that_was_passed_in_is_the_callers() -> None:
    store = MemoryStore()
    for n in range(3):
        await StoredSession("a", store).add_items(numbered(1, n))
    assert await StoredSession("a", store).get_items() == numbered(3)
    await store.aclose()
    with pytest.raises(RuntimeError, match="is closed"):
        await StoredSession("a", store).get_items()


# Writes that fail


@some(OURS)
async def test_an_item_without_json_stores_nothing(session: Any) -> None:
    await session.add_items(numbered(1))
    with pytest.raises(TypeError) as caught:
        await session.add_items([*numbered(1, 1), {"data": b"raw"}])
    assert isinstance(caught.value, InvalidItem)
    assert await session.get_items() == numbered(1)
    await session.add_items(numbered(1, 1))
    assert await session.get_items() == numbered(2)


@some([*FILES, "sdk file"])
async def test_a_failing_write_leaves_nothing_and_frees_the_lock(session: Any, path: Path) -> None:
    await session.add_items(numbered(1))
    with closing(sqlite3.connect(path, timeout=0)) as db:
        db.execute(
            "CREATE TRIGGER no_curses BEFORE INSERT ON agent_messages "
            "WHEN new.message_data LIKE '%curse%' BEGIN SELECT raise(ABORT, 'language!'); END"
        )
        with pytest.raises(sqlite3.IntegrityError, match="language!"):
            await session.add_items([*numbered(1, 1), {"content": "curse"}])
        db.execute("BEGIN IMMEDIATE")  # at once: it would raise if the lock were held
        db.rollback()
    assert await session.get_items() == numbered(1)
    await session.add_items(numbered(1, 1))
    assert await session.get_items() == numbered(2)


@some(OURS)
async def test_one_failing_write_does_not_harm_the_others(make: Make) -> None:
    sessions = [make(f"{n}") for n in range(10)]
    bad = {n for n in range(10) if n % 3 == 0}
    answers = await asyncio.gather(
        *(
            s.add_items([{"n": n, "bad": b""} if n in bad else {"n": n}])
            for n, s in enumerate(sessions)
        ),
        return_exceptions=True,
    )
    assert {n for n, answer in enumerate(answers) if isinstance(answer, InvalidItem)} == bad
    for n, session in enumerate(sessions):
        assert await session.get_items() == ([] if n in bad else [{"n": n}])


# Cancelling


@some([*FILES, "sdk file"])
async def test_a_cancelled_write_waits_for_its_outcome(session: Any, path: Path) -> None:
    await session.add_items(numbered(1))
    with closing(sqlite3.connect(path)) as db:
        db.execute("BEGIN IMMEDIATE")
        task = asyncio.create_task(session.add_items(numbered(2, 1)))
        await asyncio.sleep(0.05)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0.01)
            assert not task.done()
        db.rollback()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await session.get_items() == numbered(3)


@some(OURS)
async def test_a_cancelled_session_stays_usable(session: Any) -> None:
    for n in range(20):
        task = asyncio.create_task(session.add_items([{"n": n}, {"n": n}]))
        for _ in range(n % 4):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    stored = [item["n"] for item in await session.get_items()]
    assert stored == sorted(stored)
    assert all(stored.count(n) == 2 for n in stored)
