"""Whole runs: tools, handoffs, filters and outputs, on every kind of store."""

import asyncio
from pathlib import Path
from typing import Any

import agents as sdk
import pytest
from agents.testing import ScriptedModel, assistant_message, function_call
from pydantic import BaseModel

from tests.agents.runs import weather
from tests.agents.ways import Way
from tests.fake_models import Script
from tests.sample_items import answer, call, output, user
from turnlog import (
    Agent,
    MaxTurnsExceeded,
    ModelBehaviorError,
    ModelSettings,
    RunContextWrapper,
    Runner,
    SessionABC,
    SQLiteSession,
    StoredSession,
    Usage,
    function_tool,
    handoff,
)
from turnlog.items.json import Item
from turnlog.items.repair import repair

pytestmark = pytest.mark.anyio


async def test_a_tool_is_called_and_its_output_is_shown(way: Way, session: StoredSession) -> None:
    asked = call("weather", arguments='{"city": "Oslo"}')
    model = Script([asked], [answer("It rains.")])
    agent = Agent("A", model=model, tools=[weather])
    result = await way(agent, "weather?", session=session)
    told = output("rain in Oslo")
    assert result.final_output == "It rains."
    assert model.requests[1].items == [user("weather?"), asked, told]
    assert [tool.name for tool in model.requests[0].tools] == ["weather"]
    assert await session.get_items() == [user("weather?"), asked, told, answer("It rains.")]
    assert [item.type for item in result.new_items] == [
        "tool_call_item",
        "tool_call_output_item",
        "message_output_item",
    ]
    assert result.usage == Usage(20, 2, requests=2)


async def test_parallel_calls_run_at_once(way: Way, session: StoredSession) -> None:
    both = asyncio.Barrier(2)

    @function_tool
    async def meet() -> str:
        async with asyncio.timeout(60):
            await both.wait()
        return "met"

    model = Script([call("meet", 1), call("meet", 2)], [answer("done")])
    await way(Agent("A", model=model, tools=[meet]), "go", session=session)
    items = await session.get_items()
    assert items[:3] == [user("go"), call("meet", 1), call("meet", 2)]
    assert sorted(item["call_id"] for item in items[3:5]) == ["call_1", "call_2"]


async def test_a_name_that_the_model_made_up_is_told_to_it(way: Way) -> None:
    model = Script([call("wether")], [answer("sorry")])
    result = await way(Agent("A", model=model, tools=[weather]), "go")
    assert "no tool 'wether'. The tools are: weather" in result.new_items[1].output


async def test_a_tool_that_fails_is_told_to_the_model_or_ends_the_run(
    way: Way, session: StoredSession
) -> None:
    @function_tool
    def careful() -> str:
        raise OSError("secret address")

    @function_tool(failure_error_function=None)
    def careless() -> str:
        raise OSError("down")

    model = Script([call("careful")], [answer("sorry")])
    result = await way(Agent("A", model=model, tools=[careful]), "go")
    assert "OSError" in result.new_items[1].output
    assert "secret" not in result.new_items[1].output
    model = Script([call("careless")], [answer("sorry")])
    with pytest.raises(OSError, match="down"):
        await way(Agent("A", model=model, tools=[careless]), "go", session=session)
    assert await session.get_items() == [user("go"), call("careless")]


async def test_an_output_that_was_produced_is_kept_when_another_tool_fails(
    way: Way, session: StoredSession
) -> None:
    @function_tool
    async def good() -> str:
        return "fine"

    @function_tool(failure_error_function=None)
    async def bad() -> str:
        raise OSError("down")

    @function_tool
    async def slow() -> str:
        await asyncio.sleep(60)
        return "never"

    calls = [call("bad", 1), call("good", 2), call("slow", 3)]
    with pytest.raises(OSError, match="down"):
        await way(Agent("A", model=Script(calls), tools=[good, bad, slow]), "go", session=session)
    assert output("fine", 2) in await session.get_items()
    assert repair(await session.get_items())[-2:][0]["call_id"] == "call_1"


async def test_a_handoff(way: Way, session: StoredSession) -> None:
    second = Agent("Dr. No", model=Script([answer("I have it")]))
    first = Agent("A", model=Script([call("transfer_to_dr__no")]), handoffs=[second])
    result = await way(first, "go", session=session)
    assert result.last_agent is second
    assert [item.type for item in result.new_items] == [
        "handoff_call_item",
        "handoff_output_item",
        "message_output_item",
    ]
    assert len(await session.get_items()) == 4
    again = await way(second.clone(model=Script([answer("still")])), "and?", session=session)
    assert again.final_output == "still"


async def test_a_filter_changes_what_is_shown_and_not_what_is_stored(
    way: Way, session: StoredSession
) -> None:
    await session.add_items([user("before"), answer("yes")])
    model = Script([answer("mine")])
    second = Agent("B", model=model)
    to_second = handoff(second, input_filter=lambda data: data.clone(input_history=()))
    first = Agent("A", model=Script([call("transfer_to_b")]), handoffs=[to_second])
    await way(first, "go", session=session)
    assert [item["type"] for item in model.requests[0].items] == [
        "function_call",
        "function_call_output",
    ]
    assert len(await session.get_items()) == 6


async def test_a_second_filter_goes_on_where_the_first_ended(way: Way) -> None:
    secret: Item = {"role": "developer", "content": "secret"}
    model = Script([answer("mine")])
    third = Agent("C", model=model)
    to_third = handoff(third, input_filter=lambda data: data)
    second = Agent("B", model=Script([call("transfer_to_c", 2)]), handoffs=[to_third])
    to_second = handoff(
        second, input_filter=lambda data: data.clone(input_history="go", pre_handoff_items=())
    )
    first = Agent("A", model=Script([call("transfer_to_b", 1)]), handoffs=[to_second])
    result = await way(first, [secret, user("go")])
    assert result.final_output == "mine"
    shown = model.requests[0].items
    assert shown[0] == user("go")
    assert secret not in shown
    assert [item.get("call_id") for item in shown[1:]] == ["call_1"] * 2 + ["call_2"] * 2


async def test_a_filter_that_forgets_to_return_is_told(way: Way) -> None:
    forgetful: Any = lambda data: None  # noqa: E731 - as people write it
    to_b = handoff(Agent("B", model=Script()), input_filter=forgetful)
    agent = Agent("A", model=Script([call("transfer_to_b")]), handoffs=[to_b])
    with pytest.raises(TypeError, match="not NoneType"):
        await way(agent, "go")


async def test_a_tool_that_must_be_called_is_called_once(way: Way) -> None:
    asked = call("weather", arguments='{"city": "Oslo"}')
    for reset, choices in ((True, ["required", None]), (False, ["required", "required"])):
        model = Script([asked], [answer("done")])
        settings = ModelSettings(tool_choice="required")
        agent = Agent[None](
            "A", model=model, tools=[weather], model_settings=settings, reset_tool_choice=reset
        )
        await way(agent, "go")
        assert [request.settings.tool_choice for request in model.requests] == choices


async def test_the_last_answer_is_the_output(way: Way) -> None:
    asked = call("weather", arguments='{"city": "Oslo"}')
    model = Script([answer("Let me look."), asked], [])
    assert (await way(Agent("A", model=model, tools=[weather]), "go")).final_output == ""


async def test_a_result_may_be_changed_without_changing_the_memory(way: Way) -> None:
    class Plain(SessionABC):
        def __init__(self) -> None:
            self.items: list[Item] = []

        async def get_items(self, limit: int | None = None) -> list[Item]:
            return self.items if limit is None else self.items[-limit:]

        async def add_items(self, items: list[Item]) -> None:
            self.items += items

    session = Plain()
    result = await way(Agent("A", model=Script([answer("yes")])), "go", session=session)
    result.new_items[0].raw_item["content"] = "no"
    assert session.items == [user("go"), answer("yes")]


class Point(BaseModel):
    x: int
    y: int


async def test_an_output_type(way: Way) -> None:
    agent = Agent("A", model=Script([answer('{"x": 1, "y": 2}')]), output_type=Point)
    assert (await way(agent, "where?")).final_output == Point(x=1, y=2)
    bad = Agent("A", model=Script([answer('{"x": "secret"}')]), output_type=Point)
    with pytest.raises(ModelBehaviorError, match="does not fit Point") as caught:
        await way(bad, "where?")
    assert "secret" not in str(caught.value)


async def test_the_output_may_be_had_as_a_type() -> None:
    agent = Agent("A", model=Script([answer("yes")]))
    result = await Runner.run(agent, "sure?")
    assert result.final_output_as(str) == "yes"
    with pytest.raises(TypeError, match="not a Point"):
        result.final_output_as(Point, raise_if_incorrect_type=True)


async def test_max_turns(way: Way, session: StoredSession) -> None:
    asked = call("weather", arguments='{"city": "Oslo"}')
    agent = Agent("A", model=Script(*[[asked]] * 5), tools=[weather])
    with pytest.raises(MaxTurnsExceeded, match="3 times"):
        await way(agent, "go", session=session, max_turns=3)
    assert len(await session.get_items()) == 7


async def test_the_context_reaches_tools_and_instructions(way: Way) -> None:
    @function_tool
    def whoami(ctx: RunContextWrapper[str]) -> str:
        return f"{ctx.context} {ctx.usage.total_tokens}"

    model = Script([call("whoami")], [answer("done")])
    agent = Agent("A", lambda run, agent: f"serve {run.context}", model, tools=[whoami])
    result = await way(agent, "go", context="Alice")
    assert result.new_items[1].output == "Alice 11"
    assert model.requests[0].instructions == "serve Alice"


# Beside the SDK


async def test_the_same_items_in_the_same_order_as_the_sdk(tmp_path: Path) -> None:
    """One script, two runners: what is stored differs in nothing but ids and the transfer."""

    @sdk.function_tool
    async def weather_of_theirs(city: str) -> str:
        return f"rain in {city}"

    theirs = sdk.SQLiteSession("a", tmp_path / "theirs.db")
    script = ScriptedModel()
    script.extend(
        [
            [function_call("weather", {"city": "Oslo"}, call_id="call_1")],
            [function_call("transfer_to_b", {}, call_id="call_2")],
            [assistant_message("done")],
        ]
    )
    weather_of_theirs.name = "weather"
    second = sdk.Agent("B", model=script)
    first = sdk.Agent("A", model=script, tools=[weather_of_theirs], handoffs=[second])
    await sdk.Runner.run(first, "go", session=theirs)
    ours = SQLiteSession("a", tmp_path / "ours.db")
    to_b = Agent("B", model=Script([answer("done")]))
    from_a = Agent(
        "A",
        model=Script(
            [call("weather", 1, '{"city": "Oslo"}')],
            [call("transfer_to_b", 2)],
        ),
        tools=[weather],
        handoffs=[to_b],
    )
    await Runner.run(from_a, "go", session=ours)
    stored = await theirs.get_items()
    mine = await ours.get_items()
    assert _skeleton(mine) == _skeleton(stored)
    assert mine[0] == stored[0]
    assert {**mine[2]} == stored[2]
    theirs.close()
    ours.close()


def _skeleton(items: list[Any]) -> list[tuple[object, ...]]:
    return [
        (item.get("type", "message"), item.get("role"), item.get("call_id"), item.get("name"))
        for item in items
    ]
