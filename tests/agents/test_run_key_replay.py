"""What a run with a key returns when an earlier start has answered: the same as that start."""

import itertools

import pytest
from pydantic import BaseModel

from tests.agents.ways import Way
from tests.fake_models import Script
from tests.sample_items import answer, call
from turnlog import Agent, Handoff, RunConfig, RunResult, StoredSession, function_tool, handoff
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
