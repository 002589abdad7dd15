"""Runs: what the model is shown, what is stored, and when."""

from typing import Any

import pytest

from tests.fake_models import Broken, Echo
from tests.sample_items import answer, user
from turnlog import (
    Agent,
    InvalidItem,
    Model,
    ModelRequest,
    ModelResponse,
    RunConfig,
    RunContextWrapper,
    Runner,
    SessionABC,
    SessionSettings,
    SQLiteSession,
    StoredSession,
)
from turnlog.items.json import Item
from turnlog.stores.memory import MemoryStore
from turnlog.testing.failing import Failing, Failure, first_calls_of

pytestmark = pytest.mark.anyio


async def test_the_second_turn_is_shown_the_first() -> None:
    model, session = Echo(), SQLiteSession("user")
    agent = Agent("Assistant", "Be brief.", model)
    first = await Runner.run(agent, "one", session=session)
    second = await Runner.run(agent, "two", session=session)
    assert model.requests[1].items == [user("one"), answer("saw 1"), user("two")]
    assert model.requests[1].instructions == "Be brief."
    assert (first.final_output, second.final_output) == ("saw 1", "saw 3")
    assert second.input == [user("two")]
    assert second.to_input_list() == [user("two"), answer("saw 3")]
    assert second.last_agent is agent
    assert [type(item).__name__ for item in second.new_items] == ["MessageOutputItem"]
    assert await session.get_items() == [*first.to_input_list(), *second.to_input_list()]


def test_run_sync_remembers_from_run_to_run() -> None:
    session = SQLiteSession("user")
    agent = Agent("Assistant")
    Runner.run_sync(agent, "My name is Alice and I love Python", session=session)
    assert "Alice" in Runner.run_sync(agent, "What's my name?", session=session).final_output
    assert "Alice" not in Runner.run_sync(agent, "What's my name?").final_output


async def test_run_sync_refuses_to_halt_a_running_loop() -> None:
    with pytest.raises(RuntimeError, match=r"await Runner.run\(...\) instead"):
        Runner.run_sync(Agent("A"), "hello")


async def test_the_input_is_stored_before_the_model_is_asked() -> None:
    session = SQLiteSession("user")

    class Looking(Echo):
        async def respond(self, request: ModelRequest) -> ModelResponse:
            assert await session.get_items() == [user("hello")]
            return await super().respond(request)

    assert (await Runner.run(Agent("A", model=Looking()), "hello", session=session)).final_output


async def test_retries_store_the_question_once_and_once_answered_it_is_new() -> None:
    session, agent = SQLiteSession("user"), Agent("A", model=Broken(3))
    for _ in range(3):
        with pytest.raises(ConnectionError, match="hung up"):
            await Runner.run(agent, "hello", session=session)
    await Runner.run(agent, "hello", session=session)
    assert await session.get_items() == [user("hello"), answer("at last")]
    await Runner.run(agent, "hello", session=session)
    assert await session.get_items() == [user("hello"), answer("at last")] * 2


@pytest.mark.parametrize("limit", [0, 1, 5, None])
async def test_a_retry_goes_on_where_the_turn_broke_off(limit: int | None) -> None:
    session, echo = SQLiteSession("user", settings=SessionSettings(limit=limit)), Echo()
    past = [user("before"), answer("then")]
    since: list[Item] = []
    for n in range(30):
        since.append({"type": "function_call", "call_id": str(n), "name": "x", "arguments": "{}"})
        since.append({"type": "function_call_output", "call_id": str(n), "output": "rain"})
    await session.add_items([*past, user("look"), *since])
    await Runner.run(Agent("A", model=echo), "look", session=session)
    shown = past if limit in {None, 5} else []  # a window begins at a user's message
    assert echo.requests[0].items == [*shown, user("look"), *since]
    assert (await session.get_items(-1))[:-1] == [*past, user("look"), *since]


async def test_other_words_are_a_new_question() -> None:
    session = SQLiteSession("user")
    await session.add_items([user("one"), user("two")])
    await Runner.run(Agent("A", model=Echo()), "one", session=session)
    assert await session.get_items() == [user("one"), user("two"), user("one"), answer("saw 3")]


@pytest.mark.parametrize("limit", [0, 1, 2, None])
async def test_a_retry_is_known_under_any_limit(limit: int | None) -> None:
    session = SQLiteSession("user", settings=SessionSettings(limit=limit))
    question = [user("look at this"), user("and at that")]
    with pytest.raises(ConnectionError):
        await Runner.run(Agent("A", model=Broken(1)), question, session=session)
    echo = Echo()
    await Runner.run(Agent("A", model=echo), question, session=session)
    assert await session.get_items(-1) == [*question, answer("saw 2")]
    assert echo.requests[0].items == question


async def test_a_retry_is_shown_as_much_history_as_the_first_try() -> None:
    model, session = Broken(1), SQLiteSession("user", settings=SessionSettings(limit=2))
    await session.add_items([user(str(n)) for n in range(5)])
    with pytest.raises(ConnectionError):
        await Runner.run(Agent("A", model=model), "now", session=session)
    await Runner.run(Agent("A", model=model), "now", session=session)
    assert model.shown == [[user("3"), user("4"), user("now")]] * 2


async def test_settings_of_the_run_win() -> None:
    model = Echo()
    session = SQLiteSession("user", settings=SessionSettings(limit=10))
    await session.add_items([user(str(n)) for n in range(20)])
    agent = Agent("A", model=model)
    await Runner.run(agent, "a", session=session)
    config = RunConfig(session_settings=SessionSettings(limit=2))
    await Runner.run(agent, "b", session=session, run_config=config)
    await Runner.run(
        agent, "c", session=session, run_config=RunConfig(session_settings={"limit": 0})
    )
    assert [len(request.items) for request in model.requests] == [11, 3, 1]
    assert model.requests[1].items[1:] == [answer("saw 11"), user("b")]


class _Stranger:
    """Implements the protocol and knows nothing of turnlog."""

    def __init__(self) -> None:
        self.session_id = "stranger"
        self.items: list[Item] = []

    async def get_items(self, limit: int | None = None) -> list[Item]:
        return list(self.items if limit is None else self.items[-limit:])

    async def add_items(self, items: list[Item]) -> None:
        self.items += items

    async def pop_item(self) -> Item | None:
        return self.items.pop() if self.items else None

    async def clear_session(self) -> None:
        self.items.clear()


class _Minimal(SessionABC):
    def __init__(self) -> None:
        self.session_id = "minimal"
        self.items: list[Item] = []

    async def get_items(self) -> list[Item]:  # type: ignore[override]
        return list(self.items)

    async def add_items(self, items: list[Item]) -> None:
        self.items += items

    async def clear(self) -> None:
        self.items.clear()


@pytest.mark.parametrize("make", [_Stranger, _Minimal])
async def test_any_session_will_do(make: Any) -> None:
    session, model = make(), Echo()
    agent = Agent("A", model=model)
    config = RunConfig(session_settings={"limit": 1})
    await Runner.run(agent, "one", session=session)
    await Runner.run(agent, "two", session=session, run_config=config)
    assert model.requests[1].items == [user("two")]
    assert len(session.items) == 4
    await session.clear_session()
    assert session.items == []


async def test_a_session_that_cannot_pop_says_so() -> None:
    with pytest.raises(NotImplementedError, match="_Minimal does not implement pop_item"):
        await _Minimal().pop_item()


async def test_errors_of_the_session_reach_the_caller() -> None:
    session = SQLiteSession("user")
    session.close()
    with pytest.raises(RuntimeError, match="SQLiteSession is closed"):
        await Runner.run(Agent("A"), "x", session=session)


async def test_bad_input_is_refused_before_anything_is_written() -> None:
    session = SQLiteSession("user")
    with pytest.raises(InvalidItem):
        await Runner.run(Agent("A"), [user("x"), {"data": b"1"}], session=session)
    with pytest.raises(ValueError, match="max_turns is 0"):
        await Runner.run(Agent("A"), "x", session=session, max_turns=0)
    assert await session.get_items() == []


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_instructions_may_be_a_function(asynchronous: bool) -> None:
    def plain(run: RunContextWrapper[str], agent: Agent) -> str:
        return f"{agent.name} for {run.context}"

    async def later(run: RunContextWrapper[str], agent: Agent) -> str:
        return plain(run, agent)

    model = Echo()
    agent = Agent("A", later if asynchronous else plain, model)
    await Runner.run(agent, "x", context="Alice")
    assert model.requests[0].instructions == "A for Alice"


async def test_the_model_of_the_run_wins() -> None:
    mine, its = Echo(), Echo()
    await Runner.run(Agent("A", model=its), "x", run_config=RunConfig(model=mine))
    assert (len(mine.requests), len(its.requests)) == (1, 0)
    assert isinstance(mine, Model)


async def test_two_agents_share_a_session() -> None:
    session = StoredSession("user", MemoryStore())
    for name in ("first", "second"):
        await Runner.run(Agent(name, model=Echo()), name, session=session)
    assert [item["role"] for item in await session.get_items()] == ["user", "assistant"] * 2


@pytest.mark.parametrize("happened", [False, True])
async def test_a_failing_store_reaches_the_caller_and_a_retry_is_clean(happened: bool) -> None:
    # The question; each write of a turn is tried twice.
    failing = [Failure(OSError("cut off"), happened)] * 2
    store = Failing(MemoryStore(), first_calls_of("commit", *failing))
    session, agent = StoredSession("user", store), Agent("A", model=Echo())
    with pytest.raises(OSError, match="cut off"):
        await Runner.run(agent, "hello", session=session)
    await Runner.run(agent, "hello", session=session)
    assert await session.get_items() == [user("hello"), answer("saw 1")]


async def test_a_message_may_come_in_its_short_form() -> None:
    class Short:
        async def respond(self, request: ModelRequest) -> ModelResponse:
            return ModelResponse([{"role": "assistant", "content": "hi"}])

    result = await Runner.run(Agent("A", model=Short()), "hello", max_turns=None)
    assert result.final_output == "hi"
