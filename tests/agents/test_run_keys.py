"""Runs with a key: asked once and answered once, however often they are started."""

import asyncio
from itertools import count
from typing import Any

import pytest

from tests.agents.ways import Way
from tests.conversation.turns.leases import apart
from tests.fake_models import Script
from tests.sample_items import answer, call, output, user
from turnlog import (
    Agent,
    ModelRequest,
    ModelResponse,
    RunConfig,
    Runner,
    Store,
    StoredSession,
    function_tool,
)
from turnlog.conversation.turns.policy import Policy
from turnlog.testing import Failing, Failure

pytestmark = [pytest.mark.anyio, pytest.mark.stores("memory", "sqlite", "redis", "postgres")]

KEYED = RunConfig(key="request 1")
#: The same, where a lease that could not be given back has to be waited out.
BRIEF = RunConfig(key="request 1", lease_seconds=0.3)


class Counting:
    """A model that counts its calls, and fails where it is told to."""

    def __init__(self, *failures: int) -> None:
        self.calls = 0
        self._failures = failures

    async def respond(self, request: ModelRequest) -> ModelResponse:
        self.calls += 1
        await asyncio.sleep(0.01)
        if self.calls in self._failures:
            raise OSError("no model")
        return ModelResponse([answer(f"answer {self.calls}")])


async def test_a_second_start_returns_the_stored_answer(way: Way, any_store: Store) -> None:
    model = Counting()
    for _ in range(3):
        session = StoredSession("s", any_store)
        result = await way(Agent("A", model=model), "go", session=session, run_config=KEYED)
        assert result.final_output == "answer 1"
        assert result.to_input_list() == [user("go"), answer("answer 1")]
    assert model.calls == 1
    assert await session.get_items() == [user("go"), answer("answer 1")]


async def test_other_turns_between_change_nothing(any_store: Store) -> None:
    """Without a key, the same words would be a new question by then."""
    model, session = Counting(), StoredSession("s", any_store)
    agent = Agent("A", model=model)
    await Runner.run(agent, "go", session=session, run_config=KEYED)
    await Runner.run(agent, "more", session=session)
    again = await Runner.run(agent, "go", session=session, run_config=KEYED)
    assert again.final_output == "answer 1"
    assert len(await session.get_items()) == 4


@pytest.mark.parametrize("between", [False, True])
async def test_a_question_that_was_stored_is_answered_by_the_next_start(
    any_store: Store, between: bool
) -> None:
    model, session = Counting(1), StoredSession("s", any_store)
    agent = Agent("A", model=model)
    with pytest.raises(OSError, match="no model"):
        await Runner.run(agent, "go", session=session, run_config=KEYED)
    if between:
        await Runner.run(Agent("B", model=Script([answer("else")])), "more", session=session)
    result = await Runner.run(agent, "go", session=session, run_config=KEYED)
    assert result.final_output == "answer 2"
    items = await session.get_items()
    assert items.count(user("go")) == 1
    assert items[-1] == answer("answer 2")
    last = await Runner.run(agent, "go", session=session, run_config=KEYED)
    assert last.final_output == "answer 2"
    assert model.calls == 2


async def test_a_request_that_is_sent_twice_at_once(any_store: Store) -> None:
    model = Counting()

    async def start() -> Any:
        session = StoredSession("s", any_store)
        agent = Agent("A", model=model)
        return await Runner.run(agent, "go", session=session, run_config=KEYED)

    results = await asyncio.gather(*(apart(start()) for _ in range(4)))
    assert {result.final_output for result in results} == {"answer 1"}
    assert model.calls == 1
    assert len(await StoredSession("s", any_store).get_items()) == 2


@pytest.mark.parametrize("happened", [False, True])
@pytest.mark.parametrize("nth", range(6))
async def test_a_lost_answer_at_any_commit_and_a_start_anew(
    any_store: Store, nth: int, happened: bool
) -> None:
    @function_tool
    def look() -> str:
        """Look."""
        return "seen"

    numbers = count()

    def plan(verb: str) -> Failure | None:
        fails = verb == "commit" and next(numbers) in (nth, nth + 1)
        return Failure(OSError("cut off"), happened) if fails else None

    for store in (Failing(any_store, plan), any_store):
        model = Script([call("look")], [answer("done")])
        session, agent = StoredSession("s", store), Agent("A", model=model, tools=[look])
        try:
            await Runner.run(agent, "go", session=session, run_config=BRIEF)
        except OSError:
            continue
    items = await StoredSession("s", any_store).get_items()
    assert items.count(user("go")) == 1
    assert items.count(answer("done")) == 1
    assert items[-1] == answer("done")
    assert output("seen") in items


async def test_another_input_under_the_same_key_is_refused(any_store: Store) -> None:
    session, agent = StoredSession("s", any_store), Agent("A", model=Counting())
    await Runner.run(agent, "go", session=session, run_config=KEYED)
    with pytest.raises(ValueError, match="give each write its own key"):
        await Runner.run(agent, "something else", session=session, run_config=KEYED)
    assert len(await session.get_items()) == 2


@pytest.mark.parametrize("policy", ["branch", "off"])
async def test_a_key_needs_a_policy_that_keeps_it(any_store: Store, policy: Policy) -> None:
    session, agent = StoredSession("s", any_store), Agent("A", model=Counting())
    config = RunConfig(key="k", session_policy=policy)
    with pytest.raises(ValueError, match="needs the policy 'queue' or 'reject'"):
        await Runner.run(agent, "go", session=session, run_config=config)
    assert await session.get_items() == []


async def test_a_run_inside_a_run_has_no_key_of_its_own(any_store: Store) -> None:
    session = StoredSession("s", any_store)
    async with session.turn("outer"):
        with pytest.raises(ValueError, match="a run inside a run is part of it"):
            async with session.turn("inner", key="k"):
                pytest.fail("it began")


async def test_a_key_without_one_of_our_sessions_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a session of Turnlog"):
        await Runner.run(Agent("A", model=Counting()), "go", run_config=KEYED)


async def test_a_turn_of_ones_own_with_a_key(any_store: Store) -> None:
    for start in range(3):
        session = StoredSession("s", any_store)
        async with session.turn("go", key="k") as turn:
            if start == 0:
                assert turn.answer is None
                await turn.add([answer("done")])
            else:
                assert turn.answer == [answer("done")]
    assert await session.get_items() == [user("go"), answer("done")]


async def test_a_turn_with_a_key_that_was_left_by_an_error_is_begun_again(
    any_store: Store,
) -> None:
    session = StoredSession("s", any_store)
    with pytest.raises(OSError, match="no"):
        async with session.turn("go", key="k"):
            raise OSError("no")
    async with session.turn("go", key="k") as turn:
        assert turn.answer is None
        assert turn.input == [user("go")]
        await turn.add([answer("done")])
    assert await session.get_items() == [user("go"), answer("done")]
