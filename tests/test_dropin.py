"""The real `agents.Runner` stores and shows the same with our sessions as with its own."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import agents
import httpx2 as httpx
import pytest
from agents import (
    Agent,
    GuardrailFunctionOutput,
    ModelSettings,
    RunConfig,
    Runner,
    RunResult,
    RunResultStreaming,
    function_tool,
    input_guardrail,
    output_guardrail,
)
from agents.run_internal import model_retry
from agents.run_internal.session_persistence import rewind_session_items
from agents.testing import ModelStep, ScriptedModel, assistant_message, function_call
from openai import BadRequestError
from openai.types.responses import ResponseReasoningItem
from openai.types.responses.response_reasoning_item import Summary

import turnlog

pytestmark = pytest.mark.anyio

Result: TypeAlias = RunResult | RunResultStreaming
Way: TypeAlias = Callable[..., Awaitable[Result]]
# Their items are unions of typed dicts and ours plain dicts: one at run time, and two
# things to a type checker.
Sessions: TypeAlias = Any


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a test reached for the network")

    agents.set_tracing_disabled(disabled=True)
    monkeypatch.setattr(socket.socket, "connect", refuse)


# The three ways of running an agent


async def run(agent: Agent, text: Any, **options: Any) -> Result:
    return await Runner.run(agent, text, **options)


async def run_streamed(agent: Agent, text: Any, **options: Any) -> Result:
    result = Runner.run_streamed(agent, text, **options)
    async for _ in result.stream_events():
        pass
    return result


async def run_sync(agent: Agent, text: Any, **options: Any) -> Result:
    def in_a_thread_with_a_loop_of_its_own() -> Result:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            return Runner.run_sync(agent, text, **options)
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    return await asyncio.to_thread(in_a_thread_with_a_loop_of_its_own)


# Stories: what people say to agents, with everything that can happen on the way


class Talk:
    """One session, a model that knows its part, and what became of every turn."""

    def __init__(self, session: Sessions, way: Way) -> None:
        self.session = session
        self.model = ScriptedModel()
        self.outcomes: list[object] = []
        self._way = way

    def agent(self, name: str = "Assistant", **options: Any) -> Agent:
        return Agent(name, model=self.model, **options)

    async def say(self, agent: Agent, text: Any, steps: Sequence[Any], **options: Any) -> Any:
        """One turn, in which the model answers with `steps`."""
        self.model.extend(steps)
        try:
            result = await self._way(agent, text, session=self.session, **options)
        except Exception as error:  # noqa: BLE001 - whatever it is, both must meet the same
            self.outcomes.append(type(error))
            return None
        self.outcomes.append(str(result.final_output))
        return result

    def shown(self) -> str:
        """What the model saw on every call, keys in their order."""
        return _exactly([(call.input, asdict(call.model_settings)) for call in self.model.calls])

    async def stored(self) -> str:
        """What the session holds, keys in their order."""
        return _exactly(await self.session.get_items(10_000))


def _exactly(value: object) -> str:
    return json.dumps(value, indent=1, default=repr)


def says(text: str) -> list[Any]:
    return [assistant_message(text)]


async def plain(talk: Talk) -> None:
    agent = talk.agent(instructions="Be kind.")
    for n in range(4):
        await talk.say(agent, f"question {n}", [says(f"answer {n}")])


async def unicode(talk: Talk) -> None:
    agent = talk.agent()
    for text in ("Grüße, 世界 👩‍🚀", "\u2028\u0000\x1f\\\"'", "half an emoji: \ud83d", ""):
        await talk.say(agent, text, [says(f"echo {text}")])


async def a_list_as_input(talk: Talk) -> None:
    parts = [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,AAAA"},
    ]
    given = [
        {"role": "developer", "content": "Look closely."},
        {"content": parts, "role": "user", "type": "message"},
        {"role": "user", "content": "Well?", "score": 0.1, "big": 10**30, "none": None},
    ]
    await talk.say(talk.agent(), given, [says("A pixel.")])
    await talk.say(talk.agent(), "Sure?", [says("Sure.")])


@function_tool
def add(a: int, b: int) -> int:
    return a + b


@function_tool
async def weather(city: str) -> str:
    # Paris answers last, so that the order of calls and the order of endings differ.
    await asyncio.sleep(0.01 if city == "Paris" else 0)
    return f"rain in {city}, ☂"


@function_tool(failure_error_function=None)
def explode() -> str:
    raise OSError("boom")


@function_tool
def stumble() -> str:
    raise OSError("oops")


async def tools(talk: Talk) -> None:
    agent = talk.agent(tools=[add, weather])
    sums = [function_call("add", {"a": 1, "b": 2}, call_id="c1")]
    await talk.say(agent, "1 + 2?", [sums, says("3")])
    parallel = [
        assistant_message("Let me see.", item_id="thinking-aloud"),
        function_call("weather", {"city": "Paris"}, call_id="c2"),
        function_call("weather", {"city": "Rome"}, call_id="c3"),
        function_call("add", {"a": 3, "b": 4}, call_id="c4"),
    ]
    again = [function_call("weather", {"city": "Oslo"}, call_id="c5")]
    await talk.say(agent, "Weather?", [parallel, again, says("Rain.")])
    await talk.say(agent, "Thanks", [says("You're welcome.")])


async def tools_that_fail(talk: Talk) -> None:
    agent = talk.agent(tools=[explode, stumble])
    await talk.say(agent, "1", [[function_call("stumble", {}, call_id="c1")], says("It stumbled.")])
    await talk.say(agent, "2", [[function_call("explode", {}, call_id="c2")]])
    await talk.say(agent, "3", [says("Still here.")])


async def an_unknown_tool(talk: Talk) -> None:
    await talk.say(talk.agent(), "1", [[function_call("nothing", {}, call_id="c1")]])
    await talk.say(talk.agent(), "2", [says("Never mind.")])


async def a_handoff(talk: Talk) -> None:
    expert = talk.agent("Expert", tools=[add])
    desk = talk.agent("Desk", handoffs=[expert])
    over = [function_call("transfer_to_expert", {}, call_id="c1")]
    sums = [function_call("add", {"a": 1, "b": 2}, call_id="c2")]
    result = await talk.say(desk, "A sum, please", [over, sums, says("3")])
    await talk.say(result.last_agent, "And doubled?", [says("6")])
    await talk.say(desk, "Thanks", [says("Any time.")])


def reasoning(number: int) -> Any:
    return ResponseReasoningItem(
        id=f"rs_{number}",
        type="reasoning",
        summary=[Summary(text="Hm.", type="summary_text")],
        encrypted_content="c2VjcmV0",
    )


async def reasoning_items(talk: Talk, **options: Any) -> None:
    agent = talk.agent(tools=[add])
    sums = [reasoning(1), function_call("add", {"a": 1, "b": 2}, call_id="c1")]
    steps = [sums, [reasoning(2), assistant_message("3")]]
    await talk.say(agent, "1 + 2?", steps, run_config=RunConfig(**options))
    await talk.say(agent, "Sure?", [[reasoning(3), assistant_message("Yes.")]])


reasoning_without_ids = partial(reasoning_items, reasoning_item_id_policy="omit")


async def with_callback(talk: Talk, callback: Callable[..., Any]) -> None:
    config = RunConfig(session_input_callback=callback)
    agent = talk.agent(tools=[add])
    for n in range(3):
        sums = [function_call("add", {"a": n, "b": n}, call_id=f"c{n}")]
        await talk.say(agent, f"question {n}", [sums, says(f"answer {n}")], run_config=config)


def newest(history: list[Any], new: list[Any]) -> list[Any]:
    return history[-3:] + new


async def newest_async(history: list[Any], new: list[Any]) -> list[Any]:
    await asyncio.sleep(0)
    return newest(history, new)


def meddling(history: list[Any], new: list[Any]) -> list[Any]:
    told = {"role": "developer", "content": f"There were {len(history)} items."}
    return [told, *new, *reversed([item for item in history if "role" in item])]


def forgetful(_history: list[Any], new: list[Any]) -> list[Any]:
    return [dict(item) for item in new]


async def a_limit_on_the_session(talk: Talk) -> None:
    talk.session.session_settings = agents.SessionSettings(limit=3)
    await tools(talk)
    await plain(talk)


async def a_limit_on_the_run(talk: Talk, settings: Any) -> None:
    agent = talk.agent()
    for n in range(4):
        config = RunConfig(session_settings=settings)
        await talk.say(agent, f"question {n}", [says(f"answer {n}")], run_config=config)


async def a_limit_on_both(talk: Talk) -> None:
    talk.session.session_settings = agents.SessionSettings(limit=4)
    await a_limit_on_the_run(talk, agents.SessionSettings(limit=1))
    await a_limit_on_the_run(talk, agents.SessionSettings())


async def the_model_fails(talk: Talk) -> None:
    agent = talk.agent(tools=[add])
    sums = [function_call("add", {"a": 1, "b": 2}, call_id="c1")]
    await talk.say(agent, "1", [OSError("down")])
    await talk.say(agent, "2", [sums, OSError("down again")])
    await talk.say(agent, "3", [says("Back.")])


async def the_conversation_is_locked(talk: Talk) -> None:
    response = httpx.Response(400, request=httpx.Request("POST", "https://example.org"))
    locked = BadRequestError("locked", response=response, body={"code": "conversation_locked"})
    agent = talk.agent(tools=[add])
    sums = [function_call("add", {"a": 1, "b": 2}, call_id="c1")]
    await talk.say(agent, "1 + 2?", [locked, sums, locked, locked, says("3")])
    await talk.say(agent, "Sure?", [locked, locked, locked, locked])
    await talk.say(agent, "Well?", [says("Yes.")])


async def too_many_turns(talk: Talk) -> None:
    sums = [function_call("add", {"a": 1, "b": 2}, call_id="c1")]
    more = [function_call("add", {"a": 3, "b": 4}, call_id="c2")]
    await talk.say(talk.agent(tools=[add]), "Count", [sums, more], max_turns=2)
    await talk.say(talk.agent(), "Stop", [says("Stopped.")])


async def an_input_is_refused(talk: Talk, *, in_parallel: bool) -> None:
    @input_guardrail(run_in_parallel=in_parallel)
    async def no_secrets(_context: Any, _agent: Any, given: Any) -> GuardrailFunctionOutput:
        refused = "secret" in json.dumps(given[-1:] if isinstance(given, list) else given)
        if in_parallel and not refused:
            await asyncio.sleep(0)
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered=refused)

    agent = talk.agent(input_guardrails=[no_secrets])
    await talk.say(agent, "Hello", [says("Hi.")])
    await talk.say(agent, "Tell me a secret", [ModelStep.respond(_slowly)] if in_parallel else [])
    await talk.say(agent, "Sorry", [says("Fine.")])


async def _slowly(_call: object) -> list[Any]:
    await asyncio.sleep(0.05)
    return says("It is 42.")


async def an_output_is_refused(talk: Talk) -> None:
    @output_guardrail
    async def no_swearing(_context: Any, _agent: Any, given: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered="damn" in given)

    agent = talk.agent(output_guardrails=[no_swearing])
    await talk.say(agent, "Hello", [says("damn")])
    await talk.say(agent, "Pardon?", [says("Hello.")])


@function_tool(needs_approval=True)
def launch() -> str:
    return "launched"


async def an_approval(talk: Talk, *, granted: bool) -> None:
    agent = talk.agent(tools=[launch, add])
    calls = [
        function_call("launch", {}, call_id="c1"),
        function_call("add", {"a": 1, "b": 2}, call_id="c2"),
    ]
    result = await talk.say(agent, "Go", [calls])
    state = result.to_state()
    for interruption in result.interruptions:
        (state.approve if granted else state.reject)(interruption)
    await talk.say(agent, state, [says("Done.")])
    await talk.say(agent, "Thanks", [says("Any time.")])


async def undoing(talk: Talk) -> None:
    await plain(talk)
    talk.outcomes += [await talk.session.pop_item(), await talk.session.pop_item()]
    await talk.say(talk.agent(), "Asked differently", [says("Aha.")])
    await talk.session.clear_session()
    await plain(talk)


STORIES: dict[str, Callable[[Talk], Awaitable[None]]] = {
    "plain": plain,
    "unicode": unicode,
    "a list as input": a_list_as_input,
    "tools": tools,
    "tools that fail": tools_that_fail,
    "an unknown tool": an_unknown_tool,
    "a handoff": a_handoff,
    "reasoning": reasoning_items,
    "reasoning without ids": reasoning_without_ids,
    "callback": partial(with_callback, callback=newest),
    "async callback": partial(with_callback, callback=newest_async),
    "meddling callback": partial(with_callback, callback=meddling),
    "forgetful callback": partial(with_callback, callback=forgetful),
    "limit on the session": a_limit_on_the_session,
    "limit on the run": partial(a_limit_on_the_run, settings=agents.SessionSettings(limit=3)),
    "limit in a dict": partial(a_limit_on_the_run, settings={"limit": 2}),
    "limit of nothing": partial(a_limit_on_the_run, settings={"limit": 0}),
    "limit on both": a_limit_on_both,
    "the model fails": the_model_fails,
    "locked": the_conversation_is_locked,
    "too many turns": too_many_turns,
    "input refused": partial(an_input_is_refused, in_parallel=False),
    "input refused in parallel": partial(an_input_is_refused, in_parallel=True),
    "output refused": an_output_is_refused,
    "approved": partial(an_approval, granted=True),
    "not approved": partial(an_approval, granted=False),
    "undoing": undoing,
}


# The comparison


def make(kind: str, directory: Path) -> Sessions:
    path = directory / f"{kind}.db"
    match kind:
        case "file":
            return turnlog.SQLiteSession("user_123", path)
        case "memory":
            return turnlog.SQLiteSession("user_123")
        case "async file":
            return turnlog.AsyncSQLiteSession("user_123", path)
        case "async memory":
            return turnlog.AsyncSQLiteSession("user_123")
    return agents.SQLiteSession("user_123", path)


async def close(session: Sessions) -> None:
    if isinstance(session, turnlog.AsyncSQLiteSession):
        await session.close()
    else:
        session.close()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(_delay: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr(model_retry, "_sleep_for_retry", at_once)


async def tell(name: str, way: Way, session: Sessions) -> tuple[list[object], str, str]:
    """The outcomes of all turns, what the model was shown, and what is stored."""
    talk = Talk(session, way)
    try:
        await STORIES[name](talk)
        return talk.outcomes, talk.shown(), await talk.stored()
    finally:
        await close(session)


@pytest.mark.parametrize("kind", ["file", "memory", "async file", "async memory"])
@pytest.mark.parametrize("way", [run, run_sync, run_streamed])
@pytest.mark.parametrize("name", STORIES)
async def test_the_same_is_stored_and_shown(name: str, way: Way, kind: str, tmp_path: Path) -> None:
    theirs = await tell(name, way, make("sdk", tmp_path))
    ours = await tell(name, way, make(kind, tmp_path))
    assert ours == theirs
    outcomes, shown, stored = theirs
    assert outcomes
    assert len(json.loads(shown)) >= 2
    assert json.loads(stored)


async def test_a_session_object_per_message(tmp_path: Path) -> None:
    """The way a web server uses it, with a new object for every turn."""
    model = ScriptedModel([says(f"answer {n}") for n in range(5)])
    for n in range(5):
        session: Any = turnlog.SQLiteSession("user_123", tmp_path / "c.db")
        await Runner.run(Agent("A", model=model), f"question {n}", session=session)
    call = model.last_call
    assert call is not None
    assert [item.get("content") for item in call.input if item.get("role") == "user"] == [
        f"question {n}" for n in range(5)
    ]


async def test_rewinding_takes_back_the_same(tmp_path: Path) -> None:
    """What the SDK does before it sends a request again."""
    items: list[Any] = [{"role": "user", "content": f"{n}"} for n in range(4)]
    left = []
    for kind in ("sdk", "file", "memory", "async file"):
        session = make(kind, tmp_path)
        await session.add_items(items)
        await rewind_session_items(session, items[2:])
        await rewind_session_items(session, [{"role": "user", "content": "never said"}])
        left.append(await session.get_items())
        await close(session)
    assert left == [items[:2]] * 4


# Types and settings

PROTOCOLS: list[type] = [agents.memory.Session, turnlog.Session]


@pytest.mark.parametrize("make_session", [turnlog.SQLiteSession, turnlog.AsyncSQLiteSession])
def test_ours_are_sessions_to_the_sdk(make_session: Callable[[str], Any]) -> None:
    session = make_session("a")
    assert all(isinstance(session, protocol) for protocol in PROTOCOLS)


def test_theirs_are_sessions_to_us() -> None:
    session: Any = agents.SQLiteSession("a")
    assert all(isinstance(session, protocol) for protocol in PROTOCOLS)
    session.close()


@pytest.mark.parametrize(
    "settings",
    [turnlog.SessionSettings(limit=3), agents.SessionSettings(limit=3), {"limit": 3}],
    ids=["ours", "theirs", "dict"],
)
@pytest.mark.parametrize("override", [None, agents.SessionSettings(limit=1), {"limit": 1}])
async def test_settings_of_either_kind(settings: Any, override: Any) -> None:
    session: Any = turnlog.SQLiteSession("a", session_settings=settings)
    await session.add_items([{"role": "user", "content": f"{n}"} for n in range(9)])
    model = ScriptedModel([says("ok")])
    config = RunConfig(session_settings=override)
    await Runner.run(Agent("A", model=model), "new", session=session, run_config=config)
    [call] = model.calls
    assert len(call.input) - 1 == (3 if override is None else 1)


def test_resolving_ours_with_theirs_and_the_other_way_round() -> None:
    ours, theirs = turnlog.SessionSettings(limit=3), agents.SessionSettings(limit=5)
    assert ours.resolve(theirs).limit == 5
    assert ours.resolve(agents.SessionSettings()).limit == 3
    assert theirs.resolve(ours.to_dict()).limit == 3


def test_the_runs_own_settings_take_ours_as_a_dict() -> None:
    # The SDK's RunConfig asks for its own class or a dict, and nothing else will do.
    config = RunConfig(session_settings=turnlog.SessionSettings(limit=3).to_dict())
    assert config.session_settings is not None
    assert config.session_settings.limit == 3


# Faults reach the caller


async def test_an_error_while_storing_reaches_the_caller(tmp_path: Path) -> None:
    session = turnlog.SQLiteSession("a", tmp_path / "no" / "such" / "directory" / "c.db")
    model = ScriptedModel([says("ok")])
    for way in (run, run_sync, run_streamed):
        with pytest.raises(Exception, match="unable to open database file"):
            await way(Agent("A", model=model), "Hello", session=session)


class Spying(turnlog.SQLiteSession):
    """Overrides, which a runner has to go through."""

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id)
        self.calls: list[tuple[object, ...]] = []

    async def get_items(self, limit: int | None = None) -> list[turnlog.Item]:
        self.calls.append(("get", limit))
        return await super().get_items(limit)

    async def add_items(self, items: Any, *, key: str | None = None) -> None:
        self.calls.append(("add", len(items)))
        await super().add_items(items, key=key)


async def test_a_plain_turn_is_get_add_add() -> None:
    session: Any = Spying("a")
    model = ScriptedModel([says("ok"), says("ok")])
    await Runner.run(Agent("A", model=model), "1", session=session)
    config = RunConfig(session_settings={"limit": 1})
    await Runner.run(Agent("A", model=model), "2", session=session, run_config=config)
    turn = [("add", 1), ("add", 1)]
    assert session.calls == [("get", None), *turn, ("get", 1), *turn]


async def test_settings_of_the_model_do_not_matter() -> None:
    """`store=False` makes the SDK keep encrypted reasoning; it is an item like others."""
    session: Any = turnlog.SQLiteSession("a")
    model = ScriptedModel([[reasoning(1), assistant_message("ok")]])
    agent = Agent("A", model=model, model_settings=ModelSettings(store=False))
    await Runner.run(agent, "1", session=session)
    assert [item.get("type", "input") for item in await session.get_items()] == [
        "input",
        "reasoning",
        "message",
    ]
