"""The real `agents.Runner` in held blocks: what it sends and what is stored, also under load."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from contextvars import Context
from functools import partial
from typing import Any

import agents
import pytest
from agents import (
    Agent,
    GuardrailFunctionOutput,
    InputGuardrailTripwireTriggered,
    RunConfig,
    Runner,
    SessionSettings,
    function_tool,
    input_guardrail,
)
from agents.models.interface import Model
from agents.testing import ScriptedModel, assistant_message, function_call

import turnlog
from tests.providers.openai_rules import check_items
from tests.sdk.scripted_talks import says
from tests.sizes import USERS
from turnlog import LeaseLost, Store, StoredSession
from turnlog.items.json import Item
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _no_tracing() -> None:
    agents.set_tracing_disabled(disabled=True)


@pytest.fixture
def session() -> StoredSession:
    return StoredSession("session", MemoryStore())


class Strict(Model):
    """Refuses requests in which questions and answers don't alternate, and answers others.

    cuts: says of each request whether the connection breaks.
    """

    def __init__(self, cuts: Callable[[], bool] = lambda: False) -> None:
        self.requests: list[list[Any]] = []
        self.refused: list[list[Any]] = []
        self._cuts = cuts

    def _asked(self, given: Any) -> ScriptedModel:
        self.requests.append(given)
        check_items(given)
        roles = [item.get("role") for item in given]
        texts = [item["content"] for item in given if item.get("role") == "user"]
        if roles != ["user", "assistant"] * (len(roles) // 2) + ["user"] or _repeats(texts):
            self.refused.append(given)
        text = f"answer to {given[-1]['content']}"
        return ScriptedModel([[assistant_message(text, item_id=f"msg_{len(self.requests)}")]])

    async def get_response(self, *args: Any, **more: Any) -> Any:
        answering = self._asked(_input(args, more))
        await asyncio.sleep(0.001)
        if self._cuts():
            raise ConnectionError("cut")
        return await answering.get_response(*args, **more)

    async def stream_response(self, *args: Any, **more: Any) -> AsyncIterator[Any]:
        answering, seen = self._asked(_input(args, more)), 0
        cut_at = 3 if self._cuts() else -1
        async for event in answering.stream_response(*args, **more):
            seen += 1
            if seen == cut_at:
                raise ConnectionError("cut")
            yield event


def _input(args: tuple[Any, ...], more: dict[str, Any]) -> list[Any]:
    """The items of a request, whose arguments have names or not."""
    given = more["input"] if "input" in more else args[1]
    return [{"role": "user", "content": given}] if isinstance(given, str) else given


def _repeats(texts: list[str]) -> bool:
    return len({*texts}) < len(texts)


async def _run(agent: Agent, text: Any, **options: Any) -> str:
    return str((await Runner.run(agent, text, **options)).final_output)


async def _streamed(agent: Agent, text: Any, **options: Any) -> str:
    result = Runner.run_streamed(agent, text, **options)
    async for _ in result.stream_events():
        pass
    return str(result.final_output)


async def _in_a_thread(agent: Agent, text: Any, **options: Any) -> str:
    def run() -> str:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            return str(Runner.run_sync(agent, text, **options).final_output)
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    return await asyncio.to_thread(run)


WAYS = {"run": _run, "run_streamed": _streamed, "run_sync": _in_a_thread}


async def _request(
    session: StoredSession, agent: Agent, text: str, key: str | None, way: str = "run"
) -> str:
    """One request of a user."""
    async with session.held(key=key) as held:
        if held.is_replay:
            return held.text
        return await WAYS[way](agent, text, session=held.session)


async def _retried(make: Callable[[], Coroutine[Any, Any, str]]) -> str:
    """A request that is sent again until there is an answer."""
    while True:
        with suppress(ConnectionError):
            task = asyncio.get_running_loop().create_task(make(), context=Context())
            return await task


def _alternate(items: list[Item], questions: list[str]) -> bool:
    roles = [item["role"] for item in items]
    asked = [item["content"] for item in items if item["role"] == "user"]
    return roles == ["user", "assistant"] * len(questions) and asked == questions


# One user


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("key", [None, "request 1"])
async def test_a_retry_is_sent_and_stored_once(
    session: StoredSession, way: str, key: str | None
) -> None:
    cuts = iter([True, True, False, False])
    model = Strict(lambda: next(cuts))
    agent = Agent("A", model=model)
    said = await _retried(lambda: _request(session, agent, "one", key, way))
    assert said == "answer to one"
    assert await _request(session, agent, "two", None, way) == "answer to two"
    assert len(model.requests) == 4
    assert model.refused == []
    assert _alternate(await session.get_items(), ["one", "two"])


@pytest.mark.parametrize("way", WAYS)
async def test_a_request_that_was_answered_is_not_asked_again(
    session: StoredSession, way: str
) -> None:
    model = Strict()
    agent = Agent("A", model=model)
    said = {await _request(session, agent, "one", "request 1", way) for _ in range(3)}
    assert said == {"answer to one"}
    assert len(model.requests) == 1


@pytest.mark.parametrize("way", WAYS)
async def test_several_runs_in_one_block(session: StoredSession, way: str) -> None:
    model = Strict()
    agent = Agent("A", model=model)
    async with session.held(key="k"):
        for n in range(3):
            await WAYS[way](agent, f"{n}", session=session)
    assert model.refused == []
    assert _alternate(await session.get_items(), ["0", "1", "2"])
    async with session.held(key="k") as held:
        assert held.text == "answer to 2"
        assert len(held.answer or ()) == 5


async def test_a_run_that_knows_nothing_of_a_replay_is_stopped_before_the_model(
    session: StoredSession,
) -> None:
    model = Strict()
    agent = Agent("A", model=model)
    await _request(session, agent, "one", "k")
    async with session.held(key="k"):
        with pytest.raises(ValueError, match="was answered before"):
            await Runner.run(agent, "one", session=session)
    assert len(model.requests) == 1


async def test_tools_use_the_session(session: StoredSession) -> None:
    seen = []

    @function_tool
    async def look() -> str:
        """Look."""
        seen.append(await session.get_items())
        await session.add_items([{"role": "system", "content": "looked"}])
        await turnlog.Runner.run(turnlog.Agent("B", model=Inner()), "inner", session=session)
        return "seen"

    class Inner:
        async def respond(self, request: turnlog.ModelRequest) -> turnlog.ModelResponse:
            return turnlog.ModelResponse([{"role": "assistant", "content": "inner answer"}])

    model = ScriptedModel([[function_call("look", {}, call_id="call_1")], says("done")])
    agent = Agent("A", model=model, tools=[look])
    async with session.held():
        await Runner.run(agent, "go", session=session)
    assert seen == [[{"role": "user", "content": "go"}]]
    contents = [item.get("content") for item in await session.get_items()]
    assert contents[:4] == ["go", "looked", "inner", "inner answer"]


async def test_limits_and_callbacks_of_the_sdk(session: StoredSession) -> None:
    model = Strict()
    agent = Agent("A", model=model)
    for n in range(3):
        await _request(session, agent, f"{n}", None)
    await session.add_items([{"role": "user", "content": "left"}])
    limited = RunConfig(session_settings=SessionSettings(limit=2))
    async with session.held():
        await Runner.run(agent, "left", session=session, run_config=limited)
    assert [item.get("content") for item in model.requests[-1]][::2] == ["2", "left"]
    callback = RunConfig(session_input_callback=lambda history, new: [*history[-2:], *new])
    await session.add_items([{"role": "user", "content": "more"}])
    async with session.held():
        await Runner.run(agent, "more", session=session, run_config=callback)
    assert model.refused == []
    assert _alternate(await session.get_items(), ["0", "1", "2", "left", "more"])


async def test_a_guardrail_that_trips(session: StoredSession) -> None:
    trips = [True, False]

    @input_guardrail(run_in_parallel=False)
    async def guard(_context: Any, _agent: Any, _given: Any) -> GuardrailFunctionOutput:
        return GuardrailFunctionOutput(None, tripwire_triggered=trips.pop(0))

    model = Strict()
    agent = Agent("A", model=model, input_guardrails=[guard])
    for way in ("run", "run_streamed"):
        with pytest.raises(InputGuardrailTripwireTriggered):
            await _request(session, agent, way, way, way)
        assert await _request(session, agent, way, way, way) == f"answer to {way}"
        trips = [True, False]
    assert model.refused == []
    assert _alternate(await session.get_items(), ["run", "run_streamed"])


@pytest.mark.parametrize("key", [None, "yes"])
@pytest.mark.parametrize("broken", [False, True])
async def test_an_approval_in_a_later_block(
    session: StoredSession, key: str | None, broken: bool
) -> None:
    @function_tool(needs_approval=True)
    async def pay() -> str:
        """Pay."""
        return "paid"

    steps: list[Any] = [[function_call("pay", {}, call_id="call_1")], says("done")]
    if broken:
        steps.insert(1, ConnectionError("cut"))
    model = ScriptedModel(steps)
    agent = Agent("A", model=model, tools=[pay])
    async with session.held(key="ask"):
        result = await Runner.run(agent, "go", session=session)
    state = result.to_state()
    state.approve(result.interruptions[0])

    async def resumed() -> str:
        async with session.held(key=key) as held:
            if held.is_replay:
                return held.text
            return str((await Runner.run(agent, state, session=session)).final_output)

    assert await _retried(resumed) == "done"
    kinds = [item.get("type", "message") for item in await session.get_items()]
    assert kinds == ["message", "function_call", "function_call_output", "message"]
    if key is not None:
        assert await resumed() == "done"


async def test_a_stream_whose_events_are_consumed_elsewhere(session: StoredSession) -> None:
    """As by a web framework: the block is left where it was entered."""
    model = Strict()
    agent = Agent("A", model=model)
    events: asyncio.Queue[Any] = asyncio.Queue()

    async def answering() -> None:
        async with session.held(key="k"):
            result = Runner.run_streamed(agent, "go", session=session)
            async for event in result.stream_events():
                events.put_nowait(event)
        events.put_nowait(None)

    task = asyncio.create_task(answering())
    seen = 0
    while await events.get() is not None:
        seen += 1
    await task
    assert seen > 3
    async with session.held(key="k") as held:
        assert held.text == "answer to go"


async def test_a_stream_that_outlives_its_block_stores_nothing_more(
    session: StoredSession,
) -> None:
    agent = Agent("A", model=Strict())
    async with session.held():
        result = Runner.run_streamed(agent, "go", session=session)
    with pytest.raises(LeaseLost, match="has ended"):
        async for _ in result.stream_events():
            pass
    assert await session.get_items() == []


async def test_a_run_that_is_cancelled_is_taken_up(session: StoredSession) -> None:
    model = Strict()
    asked = asyncio.Event()

    class Slow(Strict):
        async def get_response(self, *args: Any, **more: Any) -> Any:
            asked.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(_request(session, Agent("A", model=Slow()), "go", "k"))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await _request(session, Agent("A", model=model), "go", "k") == "answer to go"
    assert model.refused == []
    assert _alternate(await session.get_items(), ["go"])


# Many users


@pytest.mark.proof
@pytest.mark.stores("sqlite", "postgres", "redis", "encrypted")
@pytest.mark.parametrize("way", ["run", "run_streamed"])
async def test_many_users_whose_requests_break_off_and_come_twice(
    any_store: Store, way: str
) -> None:
    chance = random.Random(7)
    model = Strict(lambda: chance.random() < 0.2)
    agent = Agent("A", model=model)
    questions = [f"question {n}" for n in range(2)]

    async def user(number: int) -> set[str]:
        said = set()
        for text in questions:
            session = StoredSession(f"user {number}", any_store)
            request = partial(_request, session, agent, text, text, way)
            times = 1 + (chance.random() < 0.2)
            said |= {*await asyncio.gather(*(_retried(request) for _ in range(times)))}
        return said

    answers = await asyncio.gather(*map(user, range(USERS)))
    assert {frozenset(each) for each in answers} == {
        frozenset(f"answer to {text}" for text in questions)
    }
    assert model.refused == []
    for number in range(USERS):
        items = await StoredSession(f"user {number}", any_store).get_items()
        assert _alternate(items, questions)
