"""What a run with a key returns when an earlier start has answered: the same as that start."""

import asyncio
import itertools

import pytest
from pydantic import BaseModel

from tests.agents.ways import Way
from tests.conversation.turns.leases import apart
from tests.fake_models import Script
from tests.sample_items import answer, call
from turnlog import (
    Agent,
    AgentUpdatedStreamEvent,
    Handoff,
    RawResponsesStreamEvent,
    RunConfig,
    RunItemStreamEvent,
    Runner,
    RunResult,
    StoredSession,
    function_tool,
    handoff,
)
from turnlog.items.json import Item
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

KEYED = RunConfig(key="request 1")


class Found(BaseModel):
    """An answer that is not plain text."""

    value: int


@function_tool
def look() -> str:
    """Look."""
    return "seen"


async def _twice(way: Way, agent: Agent) -> tuple[RunResult, RunResult]:
    store = MemoryStore()
    first, again = [
        await way(agent, "go", session=StoredSession("s", store), run_config=KEYED)
        for _ in range(2)
    ]
    assert first.to_input_list() == again.to_input_list()
    assert _kinds(first) == _kinds(again)
    assert first.last_agent is again.last_agent
    return first, again


def _kinds(result: RunResult) -> list[tuple[type, str]]:
    return [(type(item), item.agent.name) for item in result.new_items]


async def test_the_agent_that_was_handed_the_conversation(way: Way) -> None:
    model = Script([call("look")], [call("transfer_to_b", 2)], [answer('{"value": 4}')])
    second = Agent("b", model=model, output_type=Found)
    agent = Agent("a", model=model, tools=[look], handoffs=[second])
    first, again = await _twice(way, agent)
    assert again.last_agent is second
    assert first.final_output == again.final_output == Found(value=4)


async def test_the_agent_that_two_handoffs_led_to_and_back(way: Way) -> None:
    model = Script(
        [call("transfer_to_b")],
        [call("transfer_to_a", 2), call("transfer_to_c", 3)],
        [answer("back")],
    )
    third, second = Agent("c", model=model), Agent("b", model=model)
    agent = Agent("a", model=model, handoffs=[second])
    second.handoffs = [third, agent]
    _, again = await _twice(way, agent)
    assert again.last_agent is agent


async def test_handoffs_are_not_invoked_again(way: Way) -> None:
    counted = itertools.count()
    model = Script([call("transfer_to_b")], [answer("hello")])
    to_second: Handoff = handoff(Agent("b", model=model), on_handoff=lambda _: next(counted))
    await _twice(way, Agent("a", model=model, handoffs=[to_second]))
    assert next(counted) == 1


@pytest.mark.parametrize("last", [[], [answer("")]])
async def test_an_answer_without_text_behind_a_message_with_a_call(
    way: Way, last: list[Item]
) -> None:
    model = Script([answer("I look"), call("look")], last)
    first, again = await _twice(way, Agent("a", model=model, tools=[look]))
    assert first.final_output == again.final_output == ""


@pytest.mark.parametrize("key", [5, b"request 1", ("a",)])
def test_a_key_is_a_text(key: object) -> None:
    with pytest.raises(TypeError, match="key must be a str"):
        RunConfig(key=key)  # type: ignore[arg-type]


def test_a_key_is_not_empty() -> None:
    with pytest.raises(ValueError, match="key is empty"):
        RunConfig(key="")


async def _watched(agent: Agent, session: StoredSession) -> list[str]:
    result = Runner.run_streamed(agent, "go", session=session, key="request 1")
    assert not result.is_replay
    seen = []
    async for event in result:
        if isinstance(event, RawResponsesStreamEvent):
            seen.append(event.data.delta)
        elif isinstance(event, RunItemStreamEvent):
            seen.append(event.name)
        elif isinstance(event, AgentUpdatedStreamEvent):
            seen.append(event.new_agent.name)
    return [*seen, f"replay: {result.is_replay}", f"{result.usage.total_tokens} tokens"]


async def test_a_stream_of_a_stored_answer_has_it_in_one_piece() -> None:
    model = Script([call("look")], [call("transfer_to_b", 2)], [answer("it is raining")])
    agent = Agent("a", model=model, tools=[look], handoffs=[Agent("b", model=model)])
    session = StoredSession("s", MemoryStore())
    items = ["tool_called", "tool_output", "handoff_requested", "handoff_occured", "b"]
    ends = ["message_output_created"]
    text = ["it", "is", "raining"]
    seen = await _watched(agent, session)
    assert seen == [*items, *text, *ends, "replay: False", "33 tokens"]
    again = await _watched(agent, session)
    assert again == ["it is raining", *items, *ends, "replay: True", "0 tokens"]


async def test_a_stored_answer_without_text_has_no_piece() -> None:
    session = StoredSession("s", MemoryStore())
    agent = Agent("a", model=Script([]))
    assert await _watched(agent, session) == ["replay: False", "11 tokens"]
    assert await _watched(agent, session) == ["replay: True", "0 tokens"]


async def test_a_result_says_whether_it_is_a_replay(way: Way) -> None:
    first, again = await _twice(way, Agent("a", model=Script([answer("hello")])))
    assert (first.is_replay, again.is_replay) == (False, True)
    assert (first.usage.requests, again.usage.requests) == (1, 0)


async def test_a_start_that_waited_for_the_answer_of_another_is_a_replay(way: Way) -> None:
    model = Script([answer("hello")])
    store = MemoryStore()

    async def start() -> RunResult:
        session = StoredSession("s", store)
        result: RunResult = await way(Agent("a", model=model), "go", session=session, key="k")
        return result

    results = await asyncio.gather(*(apart(start()) for _ in range(3)))
    assert sorted(result.is_replay for result in results) == [False, True, True]
    assert {result.final_output for result in results} == {"hello"}


def test_a_blocking_run_with_a_key() -> None:
    session = StoredSession("s", MemoryStore())
    agent = Agent("a", model=Script([answer("hello")]))
    results = [Runner.run_sync(agent, "go", session=session, key="k") for _ in range(2)]
    assert [result.is_replay for result in results] == [False, True]


def test_a_run_has_one_key() -> None:
    agent = Agent("a", model=Script([answer("hello")]))
    session = StoredSession("s", MemoryStore())
    Runner.run_sync(agent, "go", session=session, key="k", run_config=RunConfig(key="k"))
    with pytest.raises(ValueError, match="two keys"):
        Runner.run_sync(agent, "go", session=session, key="k", run_config=RunConfig(key="l"))


async def test_no_error_names_the_key_or_the_input(way: Way) -> None:
    """A key may be what a user has typed."""
    session, agent = StoredSession("s", MemoryStore()), Agent("a", model=Script([answer("1")]))
    await way(agent, "hush", session=session, key="alice@example.org")
    with pytest.raises(ValueError, match="own key") as caught:
        await way(agent, "something else", session=session, key="alice@example.org")
    told = str(caught.value)
    assert not any(word in told for word in ("alice", "hush", "else"))
