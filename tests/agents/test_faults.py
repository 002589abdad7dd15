"""Runs that break off: stores that fail, cancellation, retries."""

import asyncio
from itertools import count

import pytest

from tests.agents.runs import weather
from tests.agents.ways import Way
from tests.fake_models import Script
from tests.sample_items import answer, call, output, user
from turnlog import (
    Agent,
    ModelRequest,
    ModelResponse,
    RunConfig,
    Store,
    StoredSession,
)
from turnlog.items.json import Item
from turnlog.testing import Failing, Failure

pytestmark = pytest.mark.anyio


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
@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("nth", range(7))
async def test_a_store_that_fails_at_any_write(
    way: Way, any_store: Store, nth: int, times: int, happened: bool
) -> None:
    """Once, which is made up for; or in the retry as well; or also when the lease is given back."""
    writes = count()

    def plan(verb: str) -> Failure | None:
        fails = verb == "commit" and nth <= next(writes) < nth + times
        return Failure(OSError("cut off"), happened) if fails else None

    bad = Failing(any_store, plan)
    agent, full = scripted()
    session = StoredSession("session", bad)
    failed = False
    async with asyncio.timeout(60):
        try:
            await way(agent, "go", session=session)
        except OSError:
            failed = True
    assert next(writes) >= nth + min(times, 2), "nothing failed"
    if nth not in (2, 3):  # the outputs of two tools at once: each may have failed only once
        assert failed == (times > 1)
    stored = await session.get_items()
    assert all(item in full for item in stored)
    # A lost answer may be that of the last write of all: the question was answered then.
    answered = answer("done") in stored
    assert failed or answered
    if failed and not answered:
        again, _ = scripted()
        config = RunConfig(lease_seconds=0.2)
        async with asyncio.timeout(120):
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
    async with asyncio.timeout(60):
        await asyncio.wait([task])
    if not task.cancelled():
        assert await session.get_items() == full
        return
    stored = await session.get_items()
    assert all(item in full for item in stored)
    answered = bool(stored) and stored[-1] == answer("done")
    again, _ = scripted()
    async with asyncio.timeout(60):
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
