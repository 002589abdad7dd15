"""Runs and turns of ours over a conversation at OpenAI."""

import asyncio
from typing import Any

import pytest

from tests.fake_models import Broken, Echo, Script
from tests.providers.conversations_server import Server
from tests.sample_items import answer
from tests.sessions.conversations.conversations import Make, texts
from turnlog import (
    Agent,
    LeaseLost,
    NotSupported,
    OpenAIConversationsSession,
    RunConfig,
    Runner,
    SessionBusy,
    SessionSettings,
    function_tool,
)
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio


@function_tool
def add(a: int, b: int) -> int:
    return a + b


CALL = {"type": "function_call", "call_id": "c1", "name": "add", "arguments": '{"a": 1, "b": 2}'}


@pytest.mark.parametrize("stored", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_run_with_a_tool(make: Make, server: Server, stored: bool, streamed: bool) -> None:
    store = MemoryStore() if stored else None
    session = make(store=store)
    model = Script([CALL], [answer("3")], [answer("You're welcome.")])
    agent = Agent("A", model=model, tools=[add])
    for question in ("1 + 2?", "Thanks"):
        if streamed:
            result = Runner.run_streamed(agent, question, session=session)
            async for _ in result.stream_events():
                pass
        else:
            await Runner.run(agent, question, session=session)
    assert [item["type"] for item in server.only.items] == [
        "message",
        "function_call",
        "function_call_output",
        "message",
        "message",
        "message",
    ]
    assert len(model.requests[-1].items) == 5
    if stored:
        usage = await session.usage()
        assert (usage.requests, usage.input_tokens) == (3, 30)  # type: ignore[union-attr]
        assert len(await session.usage("run")) == 2  # type: ignore[arg-type]


async def test_a_retry_stores_the_question_once(make: Make, server: Server) -> None:
    session = make()
    agent = Agent("A", model=Broken(1))
    with pytest.raises(ConnectionError):
        await Runner.run(agent, "Hello", session=session)
    await Runner.run(agent, "Hello", session=session)
    assert texts(server.only.items) == ["Hello", "at last"]
    await Runner.run(agent, "Hello", session=session)  # it was answered, so it is a new one
    assert len(server.only.items) == 4


async def test_windows_and_the_callback(make: Make) -> None:
    session = make()
    model = Echo()
    agent = Agent("A", model=model)
    config = RunConfig(session_settings=SessionSettings(max_turns=2))
    for n in range(5):
        await Runner.run(agent, f"q{n}", session=session, run_config=config)
    assert len(model.requests[-1].items) == 5

    def last_two(history: list[Any], new: list[Any]) -> list[Any]:
        return history[-2:] + new

    config = RunConfig(session_input_callback=last_two)
    await Runner.run(agent, "q5", session=session, run_config=config)
    assert len(model.requests[-1].items) == 3


async def test_an_interrupted_call_is_repaired(make: Make) -> None:
    session = make()
    await session.add_items([{"role": "user", "content": "1 + 2?"}, CALL])
    assert [item["type"] for item in await session.view()][-1] == "function_call_output"


class Slow:
    """A model that notes how many of its kind answer at the same time."""

    def __init__(self) -> None:
        self.at_once = self.most = 0

    async def respond(self, request: Any) -> Any:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0.05)
        self.at_once -= 1
        return await Echo().respond(request)


@pytest.mark.parametrize("handles", [1, 3])
async def test_runs_wait_for_each_other(make: Make, server: Server, handles: int) -> None:
    store = MemoryStore()
    first = make(store=store)
    model = Slow()
    agent = Agent("A", model=model)
    sessions = [first]
    if handles > 1:
        await Runner.run(agent, "q", session=first)
        sessions = [make(first.session_id, store=store) for _ in range(handles)]
    runs = [Runner.run(agent, f"q{n}", session=sessions[n % handles]) for n in range(3)]
    await asyncio.gather(*runs)
    assert model.most == 1
    roles = [item["role"] for item in server.only.items]
    assert roles == ["user", "assistant"] * (3 + (handles > 1))


async def test_policies(make: Make) -> None:
    store = MemoryStore()
    session = make(store=store)
    agent = Agent("A", model=Echo())
    async with session.turn("Hello"):
        for busy in (session, make(session.session_id, store=store)):
            config = RunConfig(session_policy="reject")
            run = Runner.run(agent, "q", session=busy, run_config=config)
            with pytest.raises(SessionBusy):
                # In a context of its own: here, it would be part of the turn.
                await asyncio.get_running_loop().create_task(run, context=EMPTY)
    for config in (RunConfig(session_policy="branch"), RunConfig(key="k")):
        with pytest.raises(NotSupported):
            await Runner.run(agent, "q", session=session, run_config=config)
    await Runner.run(agent, "q", session=session, run_config=RunConfig(session_policy="off"))


EMPTY = __import__("contextvars").Context()


async def test_a_run_inside_a_run(make: Make) -> None:
    session = make(store=MemoryStore())
    inner = Agent("B", model=Echo())

    @function_tool
    async def ask() -> str:
        return str((await Runner.run(inner, "inner", session=session)).final_output)

    call = {"type": "function_call", "call_id": "c1", "name": "ask", "arguments": "{}"}
    agent = Agent("A", model=Script([call], [answer("done")]), tools=[ask])
    result = await asyncio.wait_for(Runner.run(agent, "outer", session=session), 200)
    assert result.final_output == "done"


async def test_a_lost_lease_stops_the_writes(make: Make, server: Server) -> None:
    store = MemoryStore()
    session = make(store=store)
    async with session.turn("Hello") as turn:
        await store.delete(session.session_id)
        with pytest.raises(LeaseLost):
            await turn.add([answer("too late")])
    assert texts(server.only.items) == ["Hello"]


async def test_a_turn_of_ones_own(session: OpenAIConversationsSession, server: Server) -> None:
    async with session.turn("Hello") as turn:
        assert turn.input == [{"role": "user", "content": "Hello"}]
        await turn.add([answer("Hi")])
        assert len(turn.input) == 2
        with pytest.raises(NotSupported):
            await turn.end()
    with pytest.raises(LeaseLost):
        await turn.add([answer("late")])
    assert texts(server.only.items) == ["Hello", "Hi"]
