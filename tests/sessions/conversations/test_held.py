"""Conversations at OpenAI, held for another library's runner."""

import asyncio
from typing import Any

import agents
import pytest
from agents.testing import ScriptedModel

from tests.conversation.turns.leases import apart
from tests.fake_models import Broken, Script
from tests.providers.conversations_server import Server
from tests.sample_items import answer
from tests.sdk.scripted_talks import says
from tests.sessions.conversations.conversations import Make, texts
from turnlog import Agent, LeaseLost, NotSupported, Runner, SessionBusy
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _no_tracing() -> None:
    agents.set_tracing_disabled(disabled=True)


@pytest.mark.parametrize("created", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
async def test_a_retry_is_sent_and_stored_once(
    make: Make, server: Server, created: bool, streamed: bool
) -> None:
    store = MemoryStore()
    session = make(store=store)
    if created:
        await session.add_items([{"role": "user", "content": "zero"}, answer("0")])
    model = ScriptedModel([ConnectionError("cut"), ConnectionError("cut"), says("1"), says("2")])
    agent = agents.Agent("A", model=model)

    async def request(text: str) -> Any:
        again = make(session.conversation_id, store=store) if session.conversation_id else session
        async with again.held() as held:
            if not streamed:
                return await agents.Runner.run(agent, text, session=held.session)
            result = agents.Runner.run_streamed(agent, text, session=held.session)
            async for _ in result.stream_events():
                pass
            return result

    for _ in range(2):
        with pytest.raises(ConnectionError):
            await request("one")
    assert (await request("one")).final_output == "1"
    await request("two")
    before = ["zero", "0"] if created else []
    assert texts(server.only.items) == [*before, "one", "1", "two", "2"]
    roles = [[item["role"] for item in call.input] for call in model.calls]
    turns = ["user", "assistant"]
    assert roles[2] == [*turns * len(before[:1]), "user"]
    assert roles[3] == [*turns * (1 + len(before[:1])), "user"]


async def test_others_wait_or_are_refused(make: Make, server: Server) -> None:
    store = MemoryStore()
    session = make(store=store)
    await session.add_items([{"role": "user", "content": "zero"}, answer("0")])
    other = make(session.conversation_id, store=store)

    async def run(text: str, policy: Any = "queue") -> None:
        async with other.held(policy):
            await other.add_items([{"role": "user", "content": text}, answer(text)])

    for same in (session, other):
        async with same.held():
            waiting = asyncio.create_task(apart(run("two")))
            with pytest.raises(SessionBusy):
                await apart(run("never", "reject"))
            await same.add_items([{"role": "user", "content": "one"}])
            await same.add_items([answer("1")])
        await waiting
    assert texts(server.only.items)[2:] == ["one", "1", "two", "two"] * 2


async def test_runs_of_ours_inside_are_part_of_it(make: Make, server: Server) -> None:
    session = make(store=MemoryStore())
    with pytest.raises(ConnectionError):
        async with session.held():
            await Runner.run(Agent("A", model=Broken(1)), "one", session=session)
    async with session.held() as held, held.session.held():
        await Runner.run(Agent("A", model=Script([answer("1")])), "one", session=session)
        assert len(await session.get_items()) == 2
        await session.add_items([{"role": "user", "content": "two"}, answer("2")], key="k")
    assert texts(server.only.items) == ["one", "1", "two", "2"]


async def test_work_that_was_left_is_not_shown(make: Make) -> None:
    session = make(store=MemoryStore())
    left: list[Any] = [
        {"role": "user", "content": "one"},
        {"type": "function_call", "call_id": "c1", "name": "add", "arguments": "{}"},
    ]
    await session.add_items([{"role": "user", "content": "zero"}, answer("0"), *left])
    async with session.held():
        assert len(await session.get_items()) == len(await session.get_items(-1)) == 2
        assert texts(await session.get_items(1)) == ["0"]
        await session.add_items(left[:1])
        assert len(await session.get_items()) == 4


async def test_what_is_late_or_not_supported(make: Make) -> None:
    with pytest.raises(NotSupported, match="give the session a store"):
        make().held()
    session = make(store=MemoryStore())
    with pytest.raises(NotSupported, match="run keys"):
        session.held(key="k")
    with pytest.raises(NotSupported, match="branches"):
        session.held("branch")
    with pytest.raises(ValueError, match="would hold nothing"):
        session.held("off")
    left = asyncio.Event()

    async def late() -> None:
        await left.wait()
        await session.add_items([answer("late")])

    holding = session.held()
    async with holding:
        await session.add_items([{"role": "user", "content": "one"}])
        task = asyncio.create_task(late())
        await session.add_items([answer("1")])
    left.set()
    with pytest.raises(RuntimeError, match="entered before"):
        await holding.__aenter__()
    with pytest.raises(LeaseLost, match="has ended"):
        await task
    assert len(await session.get_items()) == 2
