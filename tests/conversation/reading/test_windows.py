"""Windows of turns and tokens: what they show, how seldom they move, and what they read."""

from itertools import pairwise
from random import Random
from typing import Any

import agents as sdk
import pytest
from agents.testing import ScriptedModel, assistant_message

from tests.conversation.reading.turns import first, turn, turns
from tests.fake_models import Echo
from tests.sample_items import answer, call, output, user
from turnlog import (
    Agent,
    RunConfig,
    Runner,
    SessionABC,
    SessionSettings,
    SQLiteSession,
    StoredSession,
)
from turnlog.items.json import Item, encode_all
from turnlog.items.repair import INTERRUPTED
from turnlog.items.tokens import estimated_tokens
from turnlog.records import Log
from turnlog.stores.memory import MemoryStore
from turnlog.testing.counting import Counting

pytestmark = pytest.mark.anyio


# Bounds


async def test_the_newest_turns() -> None:
    session = SQLiteSession("s", settings=SessionSettings(max_turns=2))
    await session.add_items(turns(5))
    expected = turns(5)[-len(await session.view()) :]
    assert await session.view() == expected
    assert [item for item in expected if item.get("role") == "user"] == [user("q3"), user("q4")]
    assert await session.view(settings=SessionSettings(max_turns=0)) == []
    assert await session.view(settings={"max_turns": 50}) == turns(5)


async def test_so_many_turns_as_have_so_many_tokens() -> None:
    session = SQLiteSession("s")
    await session.add_items([item for number in range(9) for item in turn(number)])

    async def shown(most: int) -> int:
        settings = SessionSettings(max_tokens=most, token_counter=lambda _: 10)
        return len(await session.view(settings=settings))

    assert [await shown(most) for most in (0, 19, 20, 39, 40, 180, 1000)] == [0, 0, 2, 2, 4, 18, 18]


async def test_the_strictest_bound_counts() -> None:
    session = SQLiteSession("s", settings=SessionSettings(limit=10, max_turns=4))
    await session.add_items([item for number in range(9) for item in turn(number)])
    assert first(await session.view()) == 5
    assert first(await session.view(limit=5)) == 7
    assert first(await session.view(settings=SessionSettings(max_turns=1))) == 8
    counted = SessionSettings(max_tokens=30, token_counter=lambda _: 5)
    assert first(await session.view(settings=counted)) == 6


async def test_the_marks_of_interrupted_calls_count_as_tokens() -> None:
    session = SQLiteSession("s")
    await session.add_items([user("q0"), call("look", 1), user("q1"), answer("a1")])
    for most, shown in ((3, 2), (4, 2), (5, 5)):
        settings = SessionSettings(max_tokens=most, token_counter=lambda _: 1)
        assert len(await session.view(settings=settings)) == shown


async def test_a_turn_fits_or_not_however_much_of_it_was_read() -> None:
    """Seen without the turn's beginning, the second attempt of a call would count."""
    items = [user("q"), call(), output(), *[answer("a")] * 40, call()]
    session = SQLiteSession("s")
    await session.add_items(items)
    settings = SessionSettings(
        max_tokens=50, token_counter=lambda item: 100 if item.get("output") == INTERRUPTED else 1
    )
    assert await session.view(settings=settings) == items[:-1]


async def test_records_that_cannot_be_read_are_not_counted() -> None:
    store = MemoryStore()
    session = StoredSession("s", store, session_settings=SessionSettings(max_turns=2, step=1))
    for number in range(100):
        await session.add_items(turn(number))
        await store.append(Log("s"), [b"not JSON"] * 3)
    assert await session.view() == [*turn(98), *turn(99)]
    assert len(session.unreadable) >= 6


# What a session gives that asks for windows


async def test_an_explicit_limit_is_exact_all_the_same() -> None:
    session = SQLiteSession("s", settings=SessionSettings(max_turns=1))
    items = [user("q0"), call("look", 1), user("q1"), call("look", 2)]
    await session.add_items(items)
    assert await session.get_items() == [
        user("q1"),
        call("look", 2),
        {**output("seen", 2), "output": INTERRUPTED},
    ]
    for limit in range(1, 5):
        assert await session.get_items(limit=limit) == items[-limit:]
    assert await session.get_items(-1) == items
    assert await session.get_items(0) == []
    assert await session.pop_item() == call("look", 2)


async def test_the_runner_of_the_sdk_is_shown_the_window_too() -> None:
    session = SQLiteSession("s", settings=SessionSettings(max_turns=2))
    await session.add_items([*turn(0), *turn(1, 2), user("q2"), call("look", 7)])
    model = ScriptedModel()
    model.extend([[assistant_message("yes")]])
    agent = sdk.Agent("A", model=model)
    await sdk.Runner.run(agent, "more?", session=session)
    shown = model.calls[0].input
    interrupted = {**output("seen", 7), "output": INTERRUPTED}
    assert shown == [*turn(1, 2), user("q2"), call("look", 7), interrupted, user("more?")]
    assert (await session.get_items(-1))[-2] == user("more?")


async def test_our_runner_is_shown_the_window_of_the_run() -> None:
    session, model = SQLiteSession("s", settings=SessionSettings(limit=50)), Echo()
    await session.add_items(turns(20))
    config = RunConfig(session_settings=SessionSettings(max_turns=3))
    await Runner.run(Agent("A", model=model), "more?", session=session, run_config=config)
    assert first(model.requests[0].items) == 17


@pytest.mark.parametrize("settings", [{"max_turns": 2}, {"max_turns": 0}, {"max_tokens": 60}])
async def test_a_retry_is_known_under_any_window(settings: Any) -> None:
    session, model = SQLiteSession("s", settings=settings), Echo()
    await session.add_items([*turns(9), user("again"), call("look", 1), output("seen", 1)])
    await Runner.run(Agent("A", model=model), "again", session=session)
    assert model.requests[0].items[-3:] == [user("again"), call("look", 1), output("seen", 1)]
    assert (await session.get_items(-1)).count(user("again")) == 1
    shown = [item for item in model.requests[0].items if item.get("role") == "user"]
    assert len(shown) <= 1 + settings.get("max_turns", 9)


async def test_get_items_may_be_overridden() -> None:
    class Quiet(SQLiteSession):
        async def get_items(self, limit: int | None = None) -> list[Item]:
            items = await super().get_items(limit)
            return [item for item in items if "quiet" not in item]

    session = Quiet("s", settings=SessionSettings(max_turns=2, step=2))
    await session.add_items([{**item, "quiet": 1} for item in turn(0)])
    await session.add_items([*turn(1), *turn(2), *turn(3)])
    assert await session.view() == turn(3)
    model = Echo()
    await Runner.run(Agent("A", model=model), "more?", session=session)
    assert model.requests[0].items == [*turn(3), user("more?")]


class Plain(SessionABC):
    """A session of somebody else."""

    def __init__(self, items: list[Item]) -> None:
        self.session_id = "s"
        self.items = items
        self.limits: list[int | None] = []

    async def get_items(self, limit: int | None = None) -> list[Item]:
        self.limits.append(limit)
        return list(self.items if limit is None else self.items[-limit:])

    async def add_items(self, items: list[Item]) -> None:
        self.items += items


@pytest.mark.parametrize("step", [None, 3])
async def test_any_session_has_windows(step: int | None) -> None:
    session, model = Plain(turns(200)), Echo()
    settings = SessionSettings(max_turns=10, step=step)
    config = RunConfig(session_settings=settings)
    await Runner.run(Agent("A", model=model), "more?", session=session, run_config=config)
    assert first(model.requests[0].items) == (190 if step is None else 192)
    assert (None in session.limits) == (step is not None)


# Steps


async def test_the_start_moves_once_in_twenty_turns() -> None:
    session = SQLiteSession("s", settings=SessionSettings(max_turns=40, step=20))
    starts, rng = [], Random(1)
    for number in range(150):
        await session.add_items(turn(number, rng.randint(0, 3)))
        starts.append(first(await session.view()))
    moves = [n for n in range(1, 150) if starts[n] != starts[n - 1]]
    assert moves[0] == 40
    assert all(later - earlier == 20 for earlier, later in pairwise(moves))
    assert all(20 < number + 1 - start <= 40 for number, start in enumerate(starts) if number > 40)


async def test_what_is_shown_before_is_shown_again_word_for_word() -> None:
    """So that a provider's cache of the prompt is of use."""
    session, model = SQLiteSession("s", settings=SessionSettings(max_turns=8, step=4)), Echo()
    for number in range(40):
        await Runner.run(Agent("A", model=model), f"q{number}", session=session)
    requests = [request.items for request in model.requests]
    kept = [later[: len(earlier)] == earlier for earlier, later in pairwise(requests)]
    assert kept.count(False) == 8


@pytest.mark.parametrize("marked", [False, True])
async def test_the_start_is_the_same_for_whoever_looks(*, marked: bool) -> None:
    store = MemoryStore()
    settings = SessionSettings(max_turns=9, step=4)
    session = StoredSession("s", store, session_settings=settings)
    model = Echo()
    for number in range(60):
        if marked:
            await Runner.run(Agent("A", model=model), f"q{number}", session=session)
        else:
            await session.add_items(turn(number))
        expected = -(-max(0, number - 8) // 4) * 4
        assert first(await StoredSession("s", store, session_settings=settings).view()) == expected
    assert bool(await store.read(Log("s").beside("turns"))) == marked


async def test_popping_voids_a_milestone() -> None:
    session = SQLiteSession("s", settings=SessionSettings(max_turns=6, step=3))
    model, agent = Echo(), Agent("A", model=Echo())
    for number in range(40):
        await Runner.run(agent, f"q{number}", session=session)
    for _ in range(2 * 12):
        await session.pop_item()
    for number in range(28, 50):
        await Runner.run(Agent("A", model=model), f"q{number}", session=session)
    assert [first(request.items) for request in model.requests] == [
        -(-(number - 6) // 3) * 3 for number in range(28, 50)
    ]


async def test_a_step_that_no_turn_fits_moves_with_every_turn() -> None:
    settings = SessionSettings(limit=4, step=10)
    session = SQLiteSession("s", settings=settings)
    for number in range(30):
        await session.add_items(turn(number))
        at_step = number - number % 10
        assert first(await session.view()) == (at_step if number - at_step < 2 else number - 1)


# What is read


@pytest.fixture
async def long() -> Counting:
    store = Counting(MemoryStore())
    await store.append(Log("s"), encode_all(turns(3000)))  # so it has no milestones
    return store


@pytest.mark.parametrize(
    ("settings", "most"),
    [
        (SessionSettings(limit=50), 50),
        (SessionSettings(max_turns=10), 120),
        (SessionSettings(max_tokens=1000, token_counter=estimated_tokens), 320),
        (SessionSettings(max_turns=0), 0),
        (SessionSettings(limit=0), 0),
    ],
)
async def test_no_more_is_read_than_the_window_needs(
    long: Counting, settings: SessionSettings, most: int
) -> None:
    session = StoredSession("s", long, session_settings=settings)
    shown = await session.view()
    assert len(shown) <= long.records <= most
    long.records = 0
    model = Echo()
    await Runner.run(Agent("A", model=model), "more?", session=session)
    assert model.requests[0].items == [*shown, user("more?")]
    assert long.records <= most + 40  # the newest turn may have to be looked at for a retry


async def test_with_a_step_the_turns_are_counted_once(long: Counting) -> None:
    settings = SessionSettings(max_turns=40, step=20)
    session, model = StoredSession("s", long, session_settings=settings), Echo()
    for number in range(3000, 3100):
        long.records = 0
        await Runner.run(Agent("A", model=model), f"q{number}", session=session)
        assert (long.records > 3000) == (number == 3000)
        assert long.records < 600 or number == 3000
        assert first(model.requests[-1].items) == -(-(number - 40) // 20) * 20


# Settings


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"max_turns": "3"}, TypeError),
        ({"max_turns": True}, TypeError),
        ({"max_turns": -1}, ValueError),
        ({"max_tokens": -1}, ValueError),
        ({"step": 0}, ValueError),
        ({"max_turns": 3, "step": 4}, ValueError),
        ({"token_counter": 3}, TypeError),
    ],
)
def test_settings_that_make_no_sense(given: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=list(given)[-1]):
        SessionSettings(**given)


def test_settings_are_laid_over_settings() -> None:
    own = SessionSettings(limit=9, max_turns=5)
    assert own.resolve(SessionSettings(step=2)) == SessionSettings(limit=9, max_turns=5, step=2)
    assert own.resolve({"max_turns": 1}).max_turns == 1
    assert dict(own) == {"limit": 9, "max_turns": 5}
    assert dict(SessionSettings()) == {"limit": None}


def test_the_runs_settings_of_the_sdk_refuse_what_they_do_not_know() -> None:
    with pytest.raises(TypeError, match="max_turns"):
        sdk.RunConfig(session_settings=SessionSettings(max_turns=3))
