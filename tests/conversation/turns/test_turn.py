"""`session.turn`, for programs with a loop of their own; with the openai client too."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextvars import Context
from typing import Any

import anyio
import pytest
from openai import AsyncOpenAI

from tests.providers.openai_server import Reply, serving
from tests.sample_items import answer, user
from turnlog import LeaseLost, Log, SessionBusy, SQLiteSession, StoredSession
from turnlog.changes import Change, Committed
from turnlog.items.json import Item
from turnlog.store import Layer
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio


@pytest.fixture
def session() -> StoredSession:
    return StoredSession("session", MemoryStore())


async def test_the_input_is_stored_first_and_what_came_back_after_it(
    session: StoredSession,
) -> None:
    async with session.turn("one") as turn:
        assert turn.input == [user("one")]
        assert await session.get_items() == [user("one")]
        await turn.add([answer("yes")])
        assert turn.input == [user("one"), answer("yes")]
    async with session.turn([user("two")]) as turn:
        assert turn.input == [user("one"), answer("yes"), user("two")]


async def test_a_turn_that_broke_off_is_taken_up_again(session: StoredSession) -> None:
    asked: Item = {"type": "function_call", "call_id": "1", "name": "x", "arguments": "{}"}

    async def break_off() -> None:
        async with session.turn("go") as turn:
            if len(turn.input) == 1:
                await turn.add([asked])
            raise ConnectionError("hung up")

    for _ in range(3):
        with pytest.raises(ConnectionError):
            await break_off()
    async with session.turn("go") as turn:
        assert [item.get("type") for item in turn.input] == [
            None,
            "function_call",
            "function_call_output",
        ]
        assert "interrupted" in turn.input[2]["output"]
        await turn.add([answer("done")])
    assert await session.get_items() == [user("go"), asked, answer("done")]


async def test_one_turn_at_a_time(session: StoredSession) -> None:
    async def second() -> None:
        with pytest.raises(SessionBusy):
            async with session.turn("two", policy="reject"):
                pytest.fail("two turns at once")

    async with session.turn("one") as turn:
        await asyncio.get_running_loop().create_task(second(), context=Context())
        await turn.add([answer("yes")])
    assert len(await session.get_items()) == 2


async def test_a_turn_that_lost_its_session_stores_no_more(session: StoredSession) -> None:
    async with session.turn("one") as turn:
        await asyncio.get_running_loop().create_task(session.clear_session(), context=Context())
        with pytest.raises(LeaseLost):
            await turn.add([answer("late")])
    assert await session.get_items() == []


class Slow(Layer):
    """Answers late, once the work is done."""

    async def commit(self, session: str, changes: Sequence[Change], **options: Any) -> Committed:
        done = await super().commit(session, changes, **options)
        await asyncio.sleep(0.05)
        return done


@pytest.mark.parametrize("after", [0.0, 0.02, 0.04, 0.06, 0.08, 0.1])
async def test_a_turn_that_ends_while_its_lease_is_renewed(after: float) -> None:
    session = StoredSession("session", Slow(MemoryStore()))
    async with session.turn("one", lease_seconds=0.15):
        await asyncio.sleep(after)
    await asyncio.sleep(0.3)
    async with session.turn("two", policy="reject"):
        pass


async def test_a_turn_that_another_task_goes_on_with_is_fenced(session: StoredSession) -> None:
    async def reply() -> AsyncGenerator[str, None]:
        async with session.turn("one", lease_seconds=0.05) as turn:
            yield "thinking"
            await turn.add([answer("late")])

    taken, may_answer = asyncio.Event(), asyncio.Event()

    async def other() -> None:
        async with session.turn("two") as turn:
            taken.set()
            await may_answer.wait()
            await turn.add([answer("theirs")])

    stream = reply()
    await asyncio.create_task(stream.__anext__(), context=Context())
    time.sleep(0.1)  # noqa: ASYNC251 - the whole process stands still, and the lease runs out
    others = asyncio.create_task(other(), context=Context())
    await taken.wait()
    with pytest.raises(LeaseLost):
        await asyncio.create_task(stream.__anext__(), context=Context())
    may_answer.set()
    await others
    assert await session.get_items() == [user("one"), user("two"), answer("theirs")]


async def test_nothing_is_added_to_a_turn_that_is_over(session: StoredSession) -> None:
    async with session.turn("one") as turn:
        await turn.add([answer("yes")])
    with pytest.raises(LeaseLost):
        await turn.add([answer("late")])
    assert len(await session.get_items()) == 2


async def test_a_run_that_a_tool_leaves_behind_holds_the_session(session: StoredSession) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def job() -> None:
        async with session.turn("job") as turn:
            begun.set()
            await may_end.wait()
            await turn.add([answer("job done")])

    async def two() -> None:
        async with session.turn("two", policy="queue"):
            pass

    async with session.turn("one") as turn:
        left = asyncio.create_task(job())
        await begun.wait()
        await turn.add([answer("started")])
    waiting = asyncio.create_task(two(), context=Context())
    while not await session.store.read(Log("session", ":queue")):  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0)
    may_end.set()
    await waiting
    await left
    said = [user("one"), user("job"), answer("started"), answer("job done"), user("two")]
    assert await session.get_items() == said


async def test_whose_cancellation_it_is_stays_known() -> None:
    session = StoredSession("session", Slow(MemoryStore()))
    for delay in (0.01, 0.06, 0.11, 0.16, 0.21):
        with anyio.move_on_after(delay):
            async with session.turn("one") as turn:
                await turn.add([answer("yes")])
    async with session.turn("two", policy="reject"):
        pass


async def test_with_the_bare_client() -> None:
    session = SQLiteSession("user_123")
    with serving() as server:
        async with AsyncOpenAI(api_key="sk-test", base_url=server.url) as client:
            for question in ("I am Alice", "Who am I?"):
                said = {**answer(f"heard {question}"), "id": "msg_1", "status": "completed"}
                server.says(Reply([said]))
                async with session.turn(question) as turn:
                    given: Any = turn.input
                    response = await client.responses.create(model="gpt-4.1", input=given)
                    await turn.add(response.output)
        assert len(server.requests[1].body["input"]) == 3
    items = await session.get_items()
    assert [item["role"] for item in items] == ["user", "assistant"] * 2
