"""What summaries cost: also those that fail, and each request once."""

import asyncio

import pytest

from tests.fake_models import Script
from tests.sample_items import answer, user
from turnlog import (
    Agent,
    Compaction,
    Item,
    ModelRequest,
    ModelResponse,
    Runner,
    StoredSession,
    Summarised,
    Usage,
    summarised_by,
)
from turnlog.conversation.compaction.automatic import compacted_after
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

EACH = Usage(10, 1, requests=1)  # of a request to `Script`


class Stopping(Script):
    """A script behind which something else happens than an answer."""

    def __init__(self, *responses: list[Item], end: BaseException | None) -> None:
        super().__init__(*responses)
        self.end = end
        self.has_ended = asyncio.Event()

    async def respond(self, request: ModelRequest) -> ModelResponse:
        if self.responses:
            return await super().respond(request)
        self.has_ended.set()
        if self.end is None:
            await asyncio.Event().wait()
        raise self.end or AssertionError


@pytest.fixture
async def session() -> StoredSession:
    session = StoredSession("s", MemoryStore())
    for n in range(6):
        await session.add_items([user(f"q{n} " * 20), answer(f"a{n} " * 20)])
    return session


async def spent(session: StoredSession) -> Usage | None:
    return (await session.usage("agent")).get("compaction")


async def test_the_parts_before_one_that_fails(session: StoredSession) -> None:
    model = Stopping([answer("one")], [answer("two")], end=ValueError("no"))
    with pytest.raises(ValueError, match="no"):
        await session.compact(summarised_by(model, part_tokens=50))
    assert await spent(session) == EACH + EACH
    assert await session.usage("model") == {"Stopping": EACH + EACH}


@pytest.mark.usefixtures("virtual_time")
async def test_the_parts_before_the_time_is_up(session: StoredSession) -> None:
    model = Stopping([answer("one")], end=None)
    compaction = Compaction(summarised_by(model, part_tokens=50), max_turns=2, timeout=0.2)
    outcome = await compacted_after(session, compaction)
    assert outcome is not None
    assert outcome.failure == "TimeoutError"
    assert await spent(session) == EACH


async def test_the_parts_before_a_cancellation(session: StoredSession) -> None:
    model = Stopping([answer("one")], end=None)
    task = asyncio.create_task(session.compact(summarised_by(model, part_tokens=50)))
    await model.has_ended.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await spent(session) == EACH


async def test_each_try(session: StoredSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("turnlog.conversation.compaction.tries._DELAY", 0.001)
    script = Script([answer("one")], [answer("two")], [answer("three")])

    async def flaky(items: list[Item]) -> str:
        result = await Runner.run(Agent("Writer", model=script), items)
        if script.responses:
            raise ConnectionError
        return str(result.final_output)

    outcome = await compacted_after(session, Compaction(flaky, max_turns=2))
    assert outcome is not None
    assert outcome.result is not None
    assert await spent(session) == EACH + EACH + EACH


async def test_what_a_summariser_does_not_tell(session: StoredSession) -> None:
    """Runs without a session are known; if it tells what it has cost, that counts."""
    agent = Agent("Writer", model=Script([answer("so far")], [answer("so far")]))

    async def silent(items: list[Item]) -> str:
        return str((await Runner.run(agent, items)).final_output)

    async def telling(items: list[Item]) -> Summarised:
        return Summarised(await silent(items), "m", {"input_tokens": 3, "output_tokens": 1})

    await session.compact(silent)
    assert await session.usage("agent") == {"compaction": EACH}
    await session.compact(telling, keep=1)
    assert await spent(session) == EACH + Usage(3, 1, requests=1)


async def test_within_a_turn_it_is_counted_once(session: StoredSession) -> None:
    async with session.turn("more") as turn:
        assert await session.compact(summarised_by(Script([answer("so far")])))
        await turn.add([answer("done")], usage=Usage(100, 5, requests=1))
    assert await session.usage() == EACH + Usage(100, 5, requests=1)
    assert await spent(session) == EACH


async def test_a_summary_of_no_use_was_paid_for(session: StoredSession) -> None:
    long = summarised_by(Script([answer("word " * 2_000)]))
    with pytest.raises(ValueError, match="so nothing was compacted"):
        await session.compact(long)
    assert await spent(session) == EACH
