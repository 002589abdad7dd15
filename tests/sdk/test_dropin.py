"""The real `agents.Runner` stores and shows the same with our sessions as with its own."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import agents
import pytest
from agents import (
    Agent,
    ModelSettings,
    RunConfig,
    Runner,
    RunResult,
    RunResultStreaming,
)
from agents.run_internal import model_retry
from agents.run_internal.session_persistence import rewind_session_items
from agents.testing import ScriptedModel, assistant_message

import turnlog
from tests.sdk.scripted_talks import STORIES, Talk, Way, reasoning, says

pytestmark = pytest.mark.anyio

Result: TypeAlias = RunResult | RunResultStreaming
Sessions: TypeAlias = turnlog.SQLiteSession | turnlog.AsyncSQLiteSession | agents.SQLiteSession


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


@pytest.mark.parametrize("way", [run, run_sync, run_streamed])
@pytest.mark.parametrize("name", STORIES)
async def test_the_same_is_stored_and_shown(name: str, way: Way, tmp_path: Path) -> None:
    theirs = await tell(name, way, make("sdk", tmp_path))
    for kind in ("file", "memory", "async file", "async memory"):
        assert await tell(name, way, make(kind, tmp_path)) == theirs, kind
    outcomes, shown, stored = theirs
    assert outcomes
    assert shown.count('"role": "user"') >= 2
    assert '"role": "user"' in stored


async def test_a_session_object_per_message(tmp_path: Path) -> None:
    """The way a web server uses it, with a new object for every turn."""
    model = ScriptedModel([says(f"answer {n}") for n in range(5)])
    for n in range(5):
        session = turnlog.SQLiteSession("user_123", tmp_path / "c.db")
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
    session = agents.SQLiteSession("a")
    assert all(isinstance(session, protocol) for protocol in PROTOCOLS)
    session.close()


@pytest.mark.parametrize(
    "settings",
    [turnlog.SessionSettings(limit=3), agents.SessionSettings(limit=3), {"limit": 3}],
    ids=["ours", "theirs", "dict"],
)
@pytest.mark.parametrize("override", [None, agents.SessionSettings(limit=1), {"limit": 1}])
async def test_settings_of_either_kind(settings: Any, override: Any) -> None:
    session = turnlog.SQLiteSession("a", session_settings=settings)
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

    async def get_items(self, limit: int | None = None) -> list[turnlog.TResponseInputItem]:
        self.calls.append(("get", limit))
        return await super().get_items(limit)

    async def add_items(self, items: Any, **options: Any) -> None:
        self.calls.append(("add", len(items)))
        await super().add_items(items, **options)


async def test_a_plain_turn_is_get_add_add() -> None:
    session = Spying("a")
    model = ScriptedModel([says("ok"), says("ok")])
    await Runner.run(Agent("A", model=model), "1", session=session)
    config = RunConfig(session_settings={"limit": 1})
    await Runner.run(Agent("A", model=model), "2", session=session, run_config=config)
    turn = [("add", 1), ("add", 1)]
    assert session.calls == [("get", None), *turn, ("get", 1), *turn]


async def test_settings_of_the_model_do_not_matter() -> None:
    """`store=False` makes the SDK keep encrypted reasoning; it is an item like others."""
    session = turnlog.SQLiteSession("a")
    model = ScriptedModel([[reasoning(1), assistant_message("ok")]])
    agent = Agent("A", model=model, model_settings=ModelSettings(store=False))
    await Runner.run(agent, "1", session=session)
    assert [item.get("type", "input") for item in await session.get_items()] == [
        "input",
        "reasoning",
        "message",
    ]
