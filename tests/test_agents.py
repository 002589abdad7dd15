"""A run: what the model is shown, what is stored, and when."""

import asyncio
from typing import Any

import pytest

from turnlog import (
    Agent,
    InvalidItem,
    Model,
    ModelRequest,
    ModelResponse,
    OfflineModel,
    RunConfig,
    Runner,
    SessionABC,
    SessionSettings,
    SQLiteSession,
    StoredSession,
)
from turnlog.items import Item
from turnlog.stores.memory import MemoryStore
from turnlog.testing.failing import Failing, Failure, first_calls_of

pytestmark = pytest.mark.anyio


def _answer(text: str) -> Item:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "role": "assistant", "content": [part]}


class _Echo:
    """A model that says how many items it was shown, and remembers which."""

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []

    async def respond(self, request: ModelRequest) -> ModelResponse:
        self.requests.append(request)
        return ModelResponse([_answer(f"saw {len(request.items)}")])


class _Broken:
    def __init__(self, failures: int) -> None:
        self.left = failures

    async def respond(self, request: ModelRequest) -> ModelResponse:
        self.left -= 1
        if self.left >= 0:
            raise ConnectionError("the provider hung up")
        return ModelResponse([_answer("at last")])


def _user(text: str) -> Item:
    return {"content": text, "role": "user"}


async def test_the_second_turn_is_shown_the_first() -> None:
    model, session = _Echo(), SQLiteSession("user")
    agent = Agent("Assistant", "Be brief.", model)
    first = await Runner.run(agent, "one", session=session)
    second = await Runner.run(agent, "two", session=session)
    assert model.requests[1].items == [_user("one"), _answer("saw 1"), _user("two")]
    assert model.requests[1].instructions == "Be brief."
    assert (first.final_output, second.final_output) == ("saw 1", "saw 3")
    assert second.input == [_user("two")]
    assert second.to_input_list() == [_user("two"), _answer("saw 3")]
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

    class Looking(_Echo):
        async def respond(self, request: ModelRequest) -> ModelResponse:
            assert await session.get_items() == [_user("hello")]
            return await super().respond(request)

    assert (await Runner.run(Agent("A", model=Looking()), "hello", session=session)).final_output


async def test_retries_store_the_question_once_and_once_answered_it_is_new() -> None:
    session, agent = SQLiteSession("user"), Agent("A", model=_Broken(3))
    for _ in range(3):
        with pytest.raises(ConnectionError, match="hung up"):
            await Runner.run(agent, "hello", session=session)
    await Runner.run(agent, "hello", session=session)
    assert await session.get_items() == [_user("hello"), _answer("at last")]
    await Runner.run(agent, "hello", session=session)
    assert await session.get_items() == [_user("hello"), _answer("at last")] * 2


@pytest.mark.parametrize("limit", [0, 1, 2, None])
async def test_a_retry_is_known_under_any_limit(limit: int | None) -> None:
    session = SQLiteSession("user", settings=SessionSettings(limit=limit))
    question = [_user("look at this"), _user("and at that")]
    with pytest.raises(ConnectionError):
        await Runner.run(Agent("A", model=_Broken(1)), question, session=session)
    echo = _Echo()
    await Runner.run(Agent("A", model=echo), question, session=session)
    assert await session.get_items(-1) == [*question, _answer("saw 2")]
    assert echo.requests[0].items == question


async def test_settings_of_the_run_win() -> None:
    model = _Echo()
    session = SQLiteSession("user", settings=SessionSettings(limit=10))
    await session.add_items([_user(str(n)) for n in range(20)])
    agent = Agent("A", model=model)
    await Runner.run(agent, "a", session=session)
    config = RunConfig(session_settings=SessionSettings(limit=2))
    await Runner.run(agent, "b", session=session, run_config=config)
    await Runner.run(
        agent, "c", session=session, run_config=RunConfig(session_settings={"limit": 0})
    )
    assert [len(request.items) for request in model.requests] == [11, 3, 1]
    assert model.requests[1].items[1:] == [_answer("saw 11"), _user("b")]


async def _later(history: list[Item], new: list[Item]) -> list[Item]:
    await asyncio.sleep(0)
    return history[-2:] + new


@pytest.mark.parametrize("merge", [lambda history, new: history[-2:] + new, _later])
async def test_a_callback_chooses_what_is_shown(merge: Any) -> None:
    model, session = _Echo(), SQLiteSession("user")
    await session.add_items([_user(str(n)) for n in range(5)])
    config = RunConfig(session_input_callback=merge)
    await Runner.run(Agent("A", model=model), "now", session=session, run_config=config)
    assert model.requests[0].items == [_user("3"), _user("4"), _user("now")]
    stored = [*(_user(str(n)) for n in range(5)), _user("now"), _answer("saw 3")]
    assert await session.get_items() == stored


async def test_a_callback_gets_copies() -> None:
    session = SQLiteSession("user")
    await session.add_items([_user("old"), _answer("yes")])
    given = [_user("new")]

    def spoil(history: list[Item], new: list[Item]) -> list[Item]:
        history[0]["content"] = "spoiled"
        shown = [*history, *new]
        history.clear()
        return shown

    config = RunConfig(session_input_callback=spoil)
    await Runner.run(Agent("A", model=_Echo()), given, session=session, run_config=config)
    assert (await session.get_items())[:3] == [_user("old"), _answer("yes"), _user("new")]
    assert given == [_user("new")]


async def test_new_items_are_told_apart_by_identity_not_by_content() -> None:
    session = SQLiteSession("user")
    await session.add_items([_user("yes"), _answer("sure?")])
    config = RunConfig(session_input_callback=lambda history, new: [*new, *history])
    await Runner.run(Agent("A", model=_Echo()), "yes", session=session, run_config=config)
    items = await session.get_items()
    assert items == [_user("yes"), _answer("sure?"), _user("yes"), _answer("saw 3")]


async def test_history_built_anew_is_not_stored_again_and_what_is_changed_is() -> None:
    session = SQLiteSession("user")
    await session.add_items([_user("old"), _answer("yes")])

    def rebuild(history: list[Item], new: list[Item]) -> list[Item]:
        return [dict(item) for item in history] + [_user("[name removed]")]

    config = RunConfig(session_input_callback=rebuild)
    await Runner.run(Agent("A", model=_Echo()), "Alice", session=session, run_config=config)
    stored = [_user("old"), _answer("yes"), _user("[name removed]"), _answer("saw 3")]
    assert await session.get_items() == stored


async def test_a_callback_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="not callable"):
        RunConfig(session_input_callback="last 10")  # type: ignore[arg-type]
    config = RunConfig(session_input_callback=lambda history, new: None)  # type: ignore[arg-type, return-value]
    session = SQLiteSession("user")
    with pytest.raises(TypeError, match="returns a list of items, not NoneType"):
        await Runner.run(Agent("A"), "x", session=session, run_config=config)
    assert await session.get_items() == []


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
    session, model = make(), _Echo()
    agent = Agent("A", model=model)
    config = RunConfig(session_settings={"limit": 1})
    await Runner.run(agent, "one", session=session)
    await Runner.run(agent, "two", session=session, run_config=config)
    assert model.requests[1].items == [_answer("saw 1"), _user("two")]
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
        await Runner.run(Agent("A"), [_user("x"), {"data": b"1"}], session=session)
    with pytest.raises(ValueError, match="max_turns is 0"):
        await Runner.run(Agent("A"), "x", session=session, max_turns=0)
    assert await session.get_items() == []


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_instructions_may_be_a_function(asynchronous: bool) -> None:
    def plain(context: object, agent: Agent) -> str:
        return f"{agent.name} for {context}"

    async def later(context: object, agent: Agent) -> str:
        return plain(context, agent)

    model = _Echo()
    agent = Agent("A", later if asynchronous else plain, model)
    await Runner.run(agent, "x", context="Alice")
    assert model.requests[0].instructions == "A for Alice"


async def test_the_model_of_the_run_wins() -> None:
    mine, its = _Echo(), _Echo()
    await Runner.run(Agent("A", model=its), "x", run_config=RunConfig(model=mine))
    assert (len(mine.requests), len(its.requests)) == (1, 0)
    assert isinstance(mine, Model)


async def test_two_agents_share_a_session() -> None:
    session = StoredSession("user", MemoryStore())
    for name in ("first", "second"):
        await Runner.run(Agent(name, model=_Echo()), name, session=session)
    assert [item["role"] for item in await session.get_items()] == ["user", "assistant"] * 2


@pytest.mark.parametrize(
    ("told", "asked", "answer"),
    [
        ("My name is Alice and I love Python", "What's my name?", "Your name is Alice."),
        ("My name is Alice and I love Python", "what do I love?", "You love Python."),
        ("my name is Bob. Sorry, my name is Rob!", "Who am I?", "Your name is Rob."),
        ("I live in Oslo, but I work at a bank", "Where do I live?", "You live in Oslo."),
        ("I live in Oslo, but I work at a bank", "Where do I work", "You work at a bank."),
        (
            "My favourite colour is blue.",
            "What is my favourite colour?",
            "Your favourite colour is blue.",
        ),
        ("My name is Alice", "What do you know about me?", "Your name is Alice."),
        (
            "I'm from Peru. It is warm there",
            "What did I say first?",
            "You said: I'm from Peru. It is warm there",
        ),
        ("I am a nurse", "What am I?", "You are a nurse."),
        ("Nice weather", "What's my name?", "I can't tell your name: you haven't said it here."),
        (
            "Is my name Alice?",
            "What's my name?",
            "I can't tell your name: you haven't said it here.",
        ),
    ],
)
async def test_the_offline_model_answers_from_what_it_is_shown(
    told: str, asked: str, answer: str
) -> None:
    session, agent = SQLiteSession("user"), Agent("A", model=OfflineModel())
    await Runner.run(agent, told, session=session)
    assert (await Runner.run(agent, asked, session=session)).final_output == answer
    forgetful = await Runner.run(agent, asked)
    assert forgetful.final_output != answer or "can't tell" in answer


async def test_the_offline_model_is_deterministic_and_reads_content_parts() -> None:
    parts = [{"role": "user", "content": [{"type": "input_text", "text": "Call me Ishmael."}]}]
    runs = [await Runner.run(Agent("A"), [*parts, _user("Who am I?")]) for _ in range(2)]
    assert runs[0].to_input_list() == runs[1].to_input_list()
    assert runs[0].final_output == "Your name is Ishmael."
    assert (await OfflineModel().respond(ModelRequest([]))).output[0]["role"] == "assistant"


@pytest.mark.parametrize("happened", [False, True])
async def test_a_failing_store_reaches_the_caller_and_a_retry_is_clean(happened: bool) -> None:
    store = Failing(MemoryStore(), first_calls_of("append", Failure(OSError("cut off"), happened)))
    session, agent = StoredSession("user", store), Agent("A", model=_Echo())
    with pytest.raises(OSError, match="cut off"):
        await Runner.run(agent, "hello", session=session)
    await Runner.run(agent, "hello", session=session)
    assert await session.get_items() == [_user("hello"), _answer("saw 1")]
