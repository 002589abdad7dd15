"""Whole runs: tools, handoffs, streaming, and what is left when something breaks off."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import agents as sdk
import pytest
from agents.testing import ScriptedModel, assistant_message, function_call
from pydantic import BaseModel

from tests.agents.ways import Way
from tests.fake_models import Script
from tests.sample_items import answer, call, output, user
from turnlog import (
    Agent,
    MaxTurnsExceeded,
    ModelBehaviorError,
    ModelRequest,
    ModelResponse,
    ModelSettings,
    RawResponsesStreamEvent,
    RunConfig,
    RunContextWrapper,
    RunItemStreamEvent,
    Runner,
    SessionABC,
    SessionBusy,
    SQLiteSession,
    Store,
    StoredSession,
    TextDelta,
    Usage,
    function_tool,
    handoff,
)
from turnlog.agents.models.model import ModelEvent
from turnlog.items.json import Item
from turnlog.items.repair import repair
from turnlog.testing import Failing, Failure

pytestmark = pytest.mark.anyio


@pytest.fixture
def session(any_store: Store) -> StoredSession:
    return StoredSession("session", any_store)


@function_tool
async def weather(city: str) -> str:
    """Tells the weather."""
    return f"rain in {city}"


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
    assert result.usage == Usage(20, 2)


async def test_parallel_calls_run_at_once(way: Way, session: StoredSession) -> None:
    both = asyncio.Barrier(2)

    @function_tool
    async def meet() -> str:
        async with asyncio.timeout(20):
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


# Streaming


async def test_what_can_be_watched(session: StoredSession) -> None:
    asked = call("weather", arguments='{"city": "Oslo"}')
    agent = Agent("A", model=Script([asked], [answer("it is raining")]), tools=[weather])
    result = Runner.run_streamed(agent, "weather?", session=session)
    seen: list[str] = []
    async for event in result.stream_events():
        match event.type:
            case "raw_response_event":
                seen.append(event.data.delta)  # type: ignore[union-attr]
            case "run_item_stream_event":
                seen.append(event.item.type)  # type: ignore[union-attr]
    expected = ["tool_call_item", "tool_call_output_item", "it", "is", "raining"]
    assert seen == [*expected, "message_output_item"]
    assert result.is_complete
    assert result.final_output == "it is raining"
    assert [event async for event in result] == []


@pytest.mark.parametrize("after", range(6))
async def test_leaving_a_stream_cancels_it_and_keeps_what_happened(
    session: StoredSession, after: int
) -> None:
    asked = call("weather", arguments='{"city": "Oslo"}')
    told = output("rain in Oslo")
    full = [user("weather?"), asked, told, answer("it is raining")]
    agent = Agent("A", model=Script([asked], [answer("it is raining")]), tools=[weather])
    events = Runner.run_streamed(agent, "weather?", session=session).stream_events()
    async for _ in events:
        if after == 0:
            break
        after -= 1
    await events.aclose()
    stored = await session.get_items()
    assert stored == full[: len(stored)]
    assert stored
    # The session is free at once, and the conversation goes on.
    config = RunConfig(session_policy="reject")
    more = Agent("A", model=Script([answer("more")]), tools=[weather])
    assert (await Runner.run(more, "and?", session=session, run_config=config)).final_output


async def test_a_stream_that_is_cancelled_ends(session: StoredSession) -> None:
    agent = Agent("A", model=Script([answer("it is raining")]))
    result = Runner.run_streamed(agent, "weather?", session=session)
    seen = 0
    async for event in result.stream_events():
        assert isinstance(event, RawResponsesStreamEvent)
        assert event.data.type == "response.output_text.delta"
        seen += 1
        result.cancel()
    assert seen == 1
    assert result.final_output is None
    assert await session.get_items() == [user("weather?")]


async def test_what_happens_has_the_names_that_users_of_the_sdk_know() -> None:
    asked = call("weather", arguments='{"city": "Oslo"}')
    second = Agent("B", model=Script([answer("done")]))
    first = Agent(
        "A", model=Script([asked], [call("transfer_to_b", 2)]), tools=[weather], handoffs=[second]
    )
    events = [event async for event in Runner.run_streamed(first, "go")]
    names = [event.name for event in events if isinstance(event, RunItemStreamEvent)]
    assert names == [
        *("tool_called", "tool_output", "handoff_requested", "handoff_occured"),
        "message_output_created",
    ]


async def test_an_error_of_a_stream_reaches_who_watches(session: StoredSession) -> None:
    class Breaks(Script):
        async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
            yield TextDelta("half")
            raise ConnectionError("cut off")

    result = Runner.run_streamed(Agent("A", model=Breaks()), "go", session=session)
    with pytest.raises(ConnectionError, match="cut off"):
        async for _ in result:
            pass
    assert await session.get_items() == [user("go")]


# Faults


def scripted() -> tuple[Agent, list[Item]]:
    """A run with parallel tools and a handoff, and what it stores."""
    calls = [call("weather", n, f'{{"city": "{n}"}}') for n in (1, 2)]
    over = call("transfer_to_b", 3)
    second = Agent("B", model=Script(*[[answer("done")]] * 9), tools=[weather])
    first = Agent("A", model=Script(*[calls, [over]] * 9), tools=[weather], handoffs=[second])
    told = [output(f"rain in {n}", n) for n in (1, 2)]
    gone = {**output('{"assistant": "B"}', 3)}
    return first, [user("go"), *calls, *told, over, gone, answer("done")]


@pytest.mark.parametrize("happened", [False, True])
@pytest.mark.parametrize("nth", range(14))
async def test_a_store_that_fails_at_any_write(
    way: Way, any_store: Store, nth: int, happened: bool
) -> None:
    writes = iter(range(1000))

    def plan(verb: str) -> Failure | None:
        fails = verb in {"append", "remove"} and next(writes) == nth
        return Failure(OSError("cut off"), happened) if fails else None

    bad = Failing(any_store, plan)
    agent, full = scripted()
    session = StoredSession("session", bad)
    failed = False
    async with asyncio.timeout(20):  # a lease is longer
        try:
            await way(agent, "go", session=session)
        except OSError:
            failed = True
    stored = await session.get_items()
    assert all(item in full for item in stored)
    # A lost answer may be that of the last write of all: the question was answered then.
    answered = answer("done") in stored
    assert failed or answered
    if failed and not answered:
        again, _ = scripted()
        config = RunConfig(lease_seconds=0.2)
        async with asyncio.timeout(40):
            await way(again, "go", session=session, run_config=config)
    items = await session.get_items()
    assert items.count(user("go")) == 1
    assert items[-1] == answer("done")


@pytest.mark.parametrize("steps", range(0, 120, 3))
async def test_cancelled_at_any_moment(way: Way, session: StoredSession, steps: int) -> None:
    agent, full = scripted()
    task = asyncio.create_task(way(agent, "go", session=session))
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    async with asyncio.timeout(20):  # a lease is longer
        await asyncio.wait([task])
    if not task.cancelled():
        assert await session.get_items() == full
        return
    stored = await session.get_items()
    assert all(item in full for item in stored)
    answered = bool(stored) and stored[-1] == answer("done")
    again, _ = scripted()
    async with asyncio.timeout(20):  # a lease is longer
        await way(again, "go", session=session, run_config=RunConfig(session_policy="reject"))
    items = await session.get_items()
    assert items.count(user("go")) == 1 + answered
    assert items[-1] == answer("done")


async def test_three_retries_after_tools_store_the_question_once(
    way: Way, session: StoredSession
) -> None:
    class Dies(Script):
        async def respond(self, request: ModelRequest) -> ModelResponse:
            if not self.responses:
                raise ConnectionError("hung up")
            return await super().respond(request)

    asked = call("weather", arguments='{"city": "Oslo"}')
    for n in range(3):
        agent = Agent("A", model=Dies(*[[asked]] * (n == 0)), tools=[weather])
        with pytest.raises(ConnectionError):
            await way(agent, "go", session=session)
    model = Script([answer("done")])
    await way(Agent("A", model=model, tools=[weather]), "go", session=session)
    past = [user("go"), asked, output("rain in Oslo")]
    assert model.requests[0].items == past
    assert await session.get_items() == [*past, answer("done")]


# Two runs at once


async def test_turns_never_interleave(way: Way, session: StoredSession) -> None:
    async def talk(n: int) -> None:
        asked = call("weather", n, '{"city": "Oslo"}')
        agent = Agent("A", model=Script([asked], [answer(f"a{n}")]), tools=[weather])
        await way(agent, f"q{n}", session=StoredSession("session", session.store))

    await asyncio.gather(*(talk(n) for n in range(8)))
    items = await session.get_items()
    for start in range(0, len(items), 4):
        question, asked, told, answered = items[start : start + 4]
        n = question["content"][1:]
        assert (asked["call_id"], told["call_id"], answered) == (
            f"call_{n}",
            f"call_{n}",
            answer(f"a{n}"),
        )


class Slow(Script):
    """Takes its time."""

    async def respond(self, request: ModelRequest) -> ModelResponse:
        await asyncio.sleep(0.03)
        return await super().respond(request)


async def test_those_who_queue_are_served_in_the_order_in_which_they_came(
    way: Way, any_store: Store
) -> None:
    async def talk(n: int) -> None:
        session = StoredSession("session", any_store)
        await way(Agent("A", model=Slow([answer(f"a{n}")])), f"q{n}", session=session)

    runs = []
    for n in range(8):
        runs.append(asyncio.create_task(talk(n)))
        await asyncio.sleep(0.01)
    runs[3].cancel()
    await asyncio.wait(runs)
    items = await StoredSession("session", any_store).get_items()
    expected = [user(f"q{n}") for n in range(8) if n != 3]
    assert [item for item in items if item.get("role") == "user"] == expected


async def test_a_run_in_a_tool_does_not_wait_behind_those_who_wait_for_it(
    way: Way, session: StoredSession
) -> None:
    @function_tool
    async def ask() -> str:
        await asyncio.sleep(0.05)
        inner = StoredSession("session", session.store)
        result = await Runner.run(Agent("B", model=Script([answer("i")])), "inner", session=inner)
        return str(result.final_output)

    outer = Agent("A", model=Script([call("ask")], [answer("o")]), tools=[ask])
    async with asyncio.timeout(20):  # a lease is longer
        first = asyncio.create_task(way(outer, "outer", session=session))
        await asyncio.sleep(0.02)
        await way(Agent("C", model=Script([answer("l")])), "later", session=session)
        await first
    items = await session.get_items()
    questions = [item["content"] for item in items if item.get("role") == "user"]
    assert questions == ["outer", "inner", "later"]


async def test_a_tool_may_use_a_session_object_of_its_own(way: Way, tmp_path: Path) -> None:
    @function_tool
    async def forget() -> str:
        await SQLiteSession("a", tmp_path / "a.db").clear_session()
        return "forgotten"

    session = SQLiteSession("a", tmp_path / "a.db")
    agent = Agent("A", model=Script([call("forget")], [answer("done")]), tools=[forget])
    await way(agent, "forget all", session=session)
    assert await session.get_items() == [output("forgotten"), answer("done")]
    session.close()


async def test_the_policy_of_a_run(way: Way, session: StoredSession) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    @function_tool
    async def wait() -> str:
        started.set()
        await go_on.wait()
        return "waited"

    slow = Agent("A", model=Script([call("wait")], [answer("slow")]), tools=[wait])
    running = asyncio.create_task(way(slow, "slow", session=session))
    await started.wait()
    quick = Agent("A", model=Script([answer("quick")]))
    with pytest.raises(SessionBusy):
        await way(quick, "q", session=session, run_config=RunConfig(session_policy="reject"))
    config = RunConfig(session_policy="branch")
    branched = await Runner.run(quick, "q", session=session, run_config=config)
    assert branched.branch not in {None, "main"}
    go_on.set()
    await running
    side = StoredSession("session", session.store, branch=str(branched.branch))
    assert await side.get_items() == [user("q"), answer("quick")]
    assert len(await session.get_items()) == 4


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
