"""`session_input_callback`: what the model is shown, and what is stored."""

import asyncio
from typing import Any

import pytest

from tests.fake_models import Broken, Echo
from tests.sample_items import answer, user
from turnlog import Agent, InvalidItem, RunConfig, Runner, SQLiteSession
from turnlog.items.json import Item

pytestmark = pytest.mark.anyio


async def _later(history: list[Item], new: list[Item]) -> list[Item]:
    await asyncio.sleep(0)
    return history[-2:] + new


@pytest.mark.parametrize("merge", [lambda history, new: history[-2:] + new, _later])
async def test_a_callback_chooses_what_is_shown(merge: Any) -> None:
    model, session = Echo(), SQLiteSession("user")
    await session.add_items([user(str(n)) for n in range(5)])
    config = RunConfig(session_input_callback=merge)
    await Runner.run(Agent("A", model=model), "now", session=session, run_config=config)
    assert model.requests[0].items == [user("3"), user("4"), user("now")]
    stored = [*(user(str(n)) for n in range(5)), user("now"), answer("saw 3")]
    assert await session.get_items() == stored


async def test_a_callback_gets_copies() -> None:
    session = SQLiteSession("user")
    await session.add_items([user("old"), answer("yes")])
    given = [user("new")]

    def spoil(history: list[Item], new: list[Item]) -> list[Item]:
        history[0]["content"] = "spoiled"
        shown = [*history, *new]
        history.clear()
        return shown

    config = RunConfig(session_input_callback=spoil)
    await Runner.run(Agent("A", model=Echo()), given, session=session, run_config=config)
    assert (await session.get_items())[:3] == [user("old"), answer("yes"), user("new")]
    assert given == [user("new")]


async def test_new_items_are_told_apart_by_identity_not_by_content() -> None:
    session = SQLiteSession("user")
    await session.add_items([user("yes"), answer("sure?")])
    config = RunConfig(session_input_callback=lambda history, new: [*new, *history])
    await Runner.run(Agent("A", model=Echo()), "yes", session=session, run_config=config)
    items = await session.get_items()
    assert items == [user("yes"), answer("sure?"), user("yes"), answer("saw 3")]


async def test_history_built_anew_is_not_stored_again_and_what_is_changed_is() -> None:
    session = SQLiteSession("user")
    await session.add_items([user("old"), answer("yes")])

    def rebuild(history: list[Item], new: list[Item]) -> list[Item]:
        return [dict(item) for item in history] + [user("[name removed]")]

    config = RunConfig(session_input_callback=rebuild)
    await Runner.run(Agent("A", model=Echo()), "Alice", session=session, run_config=config)
    stored = [user("old"), answer("yes"), user("[name removed]"), answer("saw 3")]
    assert await session.get_items() == stored


async def test_a_callback_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match="must be a function"):
        RunConfig(session_input_callback="last 10")  # type: ignore[arg-type]
    config = RunConfig(session_input_callback=lambda history, new: None)  # type: ignore[arg-type, return-value]
    session = SQLiteSession("user")
    with pytest.raises(TypeError, match="returns a list of items, not NoneType"):
        await Runner.run(Agent("A"), "x", session=session, run_config=config)
    assert await session.get_items() == []


@pytest.mark.parametrize(
    "merge",
    [
        lambda history, new: [dict(item) for item in history + new],
        lambda history, new: history + [dict(item) for item in new],
        lambda history, new: history[-1:] + [dict(item) for item in new],
        lambda history, new: [dict(reversed(item.items())) for item in history] + new,
    ],
)
async def test_items_built_anew_lose_no_turn(merge: Any) -> None:
    """The same words as in the history, which is why only their place can tell."""
    session = SQLiteSession("user")
    await session.add_items([user("yes"), answer("sure?")])
    config = RunConfig(session_input_callback=merge)
    await Runner.run(Agent("A", model=Echo()), "yes", session=session, run_config=config)
    stored = await session.get_items()
    assert stored[:-1] == [user("yes"), answer("sure?"), user("yes")]


async def test_new_items_built_anew_keep_their_order() -> None:
    """Also where the history has one of them: of two that are equal, the later is new."""
    session = SQLiteSession("user")
    await session.add_items([user("yes"), answer("sure?")])
    config = RunConfig(
        session_input_callback=lambda history, new: [dict(item) for item in history + new]
    )
    given = [user("I am"), user("yes")]
    await Runner.run(Agent("A", model=Echo()), given, session=session, run_config=config)
    assert (await session.get_items())[2:-1] == given


async def test_what_is_shown_twice_is_stored_once() -> None:
    model, session = Echo(), SQLiteSession("user")
    await session.add_items([user("old"), answer("yes")])
    config = RunConfig(session_input_callback=lambda history, new: [*new, *history, *new])
    await Runner.run(Agent("A", model=model), "new", session=session, run_config=config)
    assert [item["content"] for item in model.requests[0].items][::3] == ["new", "new"]
    assert (await session.get_items())[2:] == [user("new"), answer("saw 4")]


async def test_what_is_dropped_is_not_stored() -> None:
    session = SQLiteSession("user")
    await session.add_items([user("old"), answer("yes")])
    config = RunConfig(session_input_callback=lambda history, new: history)
    await Runner.run(Agent("A", model=Echo()), "new", session=session, run_config=config)
    assert await session.get_items() == [user("old"), answer("yes"), answer("saw 2")]


async def test_a_callback_that_makes_no_items_is_refused_before_anything_is_written() -> None:
    session = SQLiteSession("user")
    config = RunConfig(session_input_callback=lambda history, new: [*new, {"data": b"1"}])
    with pytest.raises(InvalidItem, match=r"items\[1\].data"):
        await Runner.run(Agent("A", model=Echo()), "new", session=session, run_config=config)
    assert await session.get_items() == []


@pytest.mark.parametrize("limit", [0, 2, None])
async def test_a_retry_is_known_when_the_callback_rewrites_the_input(limit: int | None) -> None:
    model, session = Broken(1), SQLiteSession("user")
    await session.add_items([user("old"), answer("yes")])
    config = RunConfig(
        session_input_callback=lambda history, new: [*history, user("[name removed]")],
        session_settings={"limit": limit},
    )
    agent = Agent("A", model=model)
    with pytest.raises(ConnectionError):
        await Runner.run(agent, "Alice", session=session, run_config=config)
    await Runner.run(agent, "Alice", session=session, run_config=config)
    history = [user("old"), answer("yes")]
    assert model.shown[0] == model.shown[1] == [*history[:limit], user("[name removed]")]
    assert await session.get_items() == [*history, user("[name removed]"), answer("at last")]


class Counting:
    """A callback that remembers what it was given."""

    def __init__(self, fresh: list[Item] | None = None) -> None:
        self.given: list[tuple[list[Item], list[Item]]] = []
        self._fresh = fresh

    async def __call__(self, history: list[Item], new: list[Item]) -> list[Item]:
        self.given.append(([*history], [*new]))
        return history + (new if self._fresh is None else self._fresh)


async def failed_twice_with(callback: Counting) -> list[Item]:
    """What is stored after a run that failed twice and was tried again."""
    model, session = Broken(2), SQLiteSession("user")
    await session.add_items([user("old"), answer("yes")])
    config = RunConfig(session_input_callback=callback)
    agent = Agent("A", model=model)
    for _ in range(2):
        with pytest.raises(ConnectionError):
            await Runner.run(agent, "Alice", session=session, run_config=config)
    await Runner.run(agent, "Alice", session=session, run_config=config)
    return list(await session.get_items())


async def test_each_attempt_asks_the_callback_once_with_the_right_history() -> None:
    callback = Counting()
    stored = await failed_twice_with(callback)
    assert callback.given == [([user("old"), answer("yes")], [user("Alice")])] * 3
    assert stored == [user("old"), answer("yes"), user("Alice"), answer("at last")]


NOTE: Item = {"role": "developer", "content": "a new customer"}


@pytest.mark.parametrize("fresh", [[user("[name]")], [NOTE, user("Alice")], [user("Alice"), NOTE]])
async def test_a_retry_of_input_in_other_words_is_merged_over_the_right_history(
    fresh: list[Item],
) -> None:
    callback = Counting(fresh)
    stored = await failed_twice_with(callback)
    first, *_, last = callback.given
    assert first == last == ([user("old"), answer("yes")], [user("Alice")])
    assert len(callback.given) <= 5, "a retry asks twice at most"
    assert stored == [user("old"), answer("yes"), *fresh, answer("at last")]
