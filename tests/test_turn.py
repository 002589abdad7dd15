"""`session.turn`, for people with a loop of their own; the openai client among them."""

import asyncio
from contextvars import Context
from typing import Any

import pytest
from openai import AsyncOpenAI

from models import answer, user
from openai_server import Reply, serving
from turnlog import LeaseLost, SessionBusy, SQLiteSession, StoredSession
from turnlog.items import Item
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
