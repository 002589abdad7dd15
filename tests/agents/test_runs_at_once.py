"""Several runs on one session at once: their order, and the policies."""

import asyncio
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from pathlib import Path

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
    Runner,
    SessionBusy,
    SQLiteSession,
    Store,
    StoredSession,
    function_tool,
)
from turnlog.conversation.turns import beginning
from turnlog.loops.arrival import in_order_of_arrival

pytestmark = pytest.mark.anyio


async def test_turns_never_interleave(way: Way, session: StoredSession) -> None:
    async def talk(n: int) -> None:
        asked = call("weather", n, '{"city": "Oslo"}')
        agent = Agent("A", model=Script([asked], [answer(f"a{n}")]), tools=[weather])
        await way(agent, f"q{n}", session=StoredSession("session", session.store))

    await asyncio.gather(*(talk(n) for n in range(8)))
    items = await session.get_items()
    for start in range(0, len(items), 4):
        question, asked, told, answered = items[start : start + 4]
        n = question["content"][1:]
        assert (asked["call_id"], told["call_id"], answered) == (
            f"call_{n}",
            f"call_{n}",
            answer(f"a{n}"),
        )


class Queue:
    """How many runs have come to a session, those that did not have to wait included."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.length = 0
        monkeypatch.setattr(beginning, "in_order_of_arrival", self._in_order_of_arrival)

    @asynccontextmanager
    async def _in_order_of_arrival(self, key: Hashable) -> AsyncIterator[None]:
        self.length += 1
        async with in_order_of_arrival(key):
            yield

    async def has(self, length: int) -> None:
        """Wait until so many have come."""
        async with asyncio.timeout(60):
            while self.length != length:  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.01)


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Queue:
    return Queue(monkeypatch)


async def test_those_who_queue_are_served_in_the_order_in_which_they_came(
    way: Way, any_store: Store, queue: Queue
) -> None:
    has_begun, everyone_waits = asyncio.Event(), asyncio.Event()

    class Waiting(Script):
        async def respond(self, request: ModelRequest) -> ModelResponse:
            has_begun.set()
            await everyone_waits.wait()
            return await super().respond(request)

    async def talk(n: int) -> None:
        session = StoredSession("session", any_store)
        await way(Agent("A", model=Waiting([answer(f"a{n}")])), f"q{n}", session=session)

    runs = []
    for n in range(8):
        runs.append(asyncio.create_task(talk(n)))
        await has_begun.wait()
        await queue.has(n + 1)
    runs[3].cancel()
    everyone_waits.set()
    await asyncio.wait(runs)
    items = await StoredSession("session", any_store).get_items()
    expected = [user(f"q{n}") for n in range(8) if n != 3]
    assert [item for item in items if item.get("role") == "user"] == expected


async def test_a_run_in_a_tool_does_not_wait_behind_those_who_wait_for_it(
    way: Way, session: StoredSession, queue: Queue
) -> None:
    asked, may_go_on = asyncio.Event(), asyncio.Event()

    @function_tool
    async def ask() -> str:
        asked.set()
        await may_go_on.wait()
        inner = StoredSession("session", session.store)
        result = await Runner.run(Agent("B", model=Script([answer("i")])), "inner", session=inner)
        return str(result.final_output)

    outer = Agent("A", model=Script([call("ask")], [answer("o")]), tools=[ask])
    first = asyncio.create_task(way(outer, "outer", session=session))
    await asked.wait()
    later = Agent("C", model=Script([answer("l")]))
    second = asyncio.create_task(way(later, "later", session=session))
    await queue.has(2)
    may_go_on.set()
    async with asyncio.timeout(60):
        await asyncio.gather(first, second)
    items = await session.get_items()
    questions = [item["content"] for item in items if item.get("role") == "user"]
    assert questions == ["outer", "inner", "later"]


async def test_a_tool_may_use_a_session_object_of_its_own(way: Way, tmp_path: Path) -> None:
    @function_tool
    async def forget() -> str:
        await SQLiteSession("a", tmp_path / "a.db").clear_session()
        return "forgotten"

    session = SQLiteSession("a", tmp_path / "a.db")
    agent = Agent("A", model=Script([call("forget")], [answer("done")]), tools=[forget])
    await way(agent, "forget all", session=session)
    assert await session.get_items() == [output("forgotten"), answer("done")]
    session.close()


async def test_the_policy_of_a_run(way: Way, session: StoredSession) -> None:
    started, go_on = asyncio.Event(), asyncio.Event()

    @function_tool
    async def wait() -> str:
        started.set()
        await go_on.wait()
        return "waited"

    slow = Agent("A", model=Script([call("wait")], [answer("slow")]), tools=[wait])
    running = asyncio.create_task(way(slow, "slow", session=session))
    await started.wait()
    quick = Agent("A", model=Script([answer("quick")]))
    with pytest.raises(SessionBusy):
        await way(quick, "q", session=session, run_config=RunConfig(session_policy="reject"))
    config = RunConfig(session_policy="branch")
    branched = await Runner.run(quick, "q", session=session, run_config=config)
    assert branched.branch not in {None, "main"}
    go_on.set()
    await running
    side = StoredSession("session", session.store, branch=str(branched.branch))
    assert await side.get_items() == [user("q"), answer("quick")]
    assert len(await session.get_items()) == 4
