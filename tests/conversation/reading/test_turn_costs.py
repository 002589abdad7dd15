"""The newest turns of 100,000 items cost what those of 1,000 cost, in records that are read.

What is read doesn't depend on the store: each kind of store shows it for one way in which a
conversation grows, and a store in memory for all. Times are in bench/turn_lists.py.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.sample_items import answer, user
from turnlog import Agent, Item, Runner, SessionSettings, Store, StoredSession
from turnlog.agents.models.model import ModelResponse, Usage
from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.reading.turn_index import TurnIndex
from turnlog.records import Log
from turnlog.stores.memory import MemoryStore
from turnlog.testing.counting import Counting

pytestmark = pytest.mark.anyio

# The newest 20 turns have 40 items; the others are read to find a milestone, which lie at
# random distances. Longer distances than this are possible, and very rare.
MOST = 1_000


class Yes:
    """A model that says yes."""

    async def respond(self, request: Any) -> ModelResponse:
        return ModelResponse([answer("yes")], Usage())


def turns(count: int) -> list[Item]:
    return [user("q"), answer("a")] * count


async def in_bulk(session: StoredSession, items: int) -> None:
    await session.add_items(turns(items // 2))


async def by_ones(session: StoredSession, items: int) -> None:
    for item in turns(items // 2):
        await session.add_items([item])


async def by_turns(session: StoredSession, items: int) -> None:
    for _ in range(items // 2):
        await session.add_items(turns(1))


async def by_our_runner(session: StoredSession, items: int) -> None:
    """Through a window: the whole conversation would be read again for each turn."""
    session.session_settings = SessionSettings(limit=20)
    for _ in range(items // 2):
        await Runner.run(Agent("A", model=Yes()), "q", session=session)


async def by_windows(session: StoredSession, items: int) -> None:
    session.session_settings = SessionSettings(max_turns=40, step=20)
    for _ in range(items // 2):
        await Runner.run(Agent("A", model=Yes()), "q", session=session)


async def by_forks(session: StoredSession, items: int) -> None:
    """A copy of a copy, continued a little."""
    await in_bulk(session, items)
    for _ in range(2):
        session.branch = (await session.fork()).branch
        await session.add_items(turns(2))


async def cost(session: StoredSession, work: Callable[[StoredSession], Awaitable[object]]) -> int:
    """How many records `work` reads."""
    counting = Counting(session.store)
    await work(StoredSession(session.session_id, counting, branch=session.branch))
    return counting.records


async def newest(session: StoredSession) -> None:
    found = await session.turns(limit=20)
    assert [turn.items for turn in found] == [2] * 20


async def two_back(session: StoredSession) -> None:
    log = Log(session.session_id, session.branch)
    index = TurnIndex(LogReader(session.store, log))
    count = await index.count()
    assert await index.start_of(count - 1) is not None


async def assert_cheap(grow: Callable[..., Awaitable[None]], store: Store, *sizes: int) -> None:
    for size in sizes:
        session = StoredSession(f"of {size}", store)
        await grow(session, size)
        for work in (newest, two_back):
            assert await cost(session, work) < MOST


@pytest.mark.parametrize("grow", [in_bulk, by_ones, by_turns, by_forks])
async def test_the_newest_turns_cost_the_same(grow: Callable[..., Awaitable[None]]) -> None:
    await assert_cheap(grow, MemoryStore(), 1_000, 100_000)


@pytest.mark.parametrize("grow", [by_our_runner, by_windows])
async def test_runs_lay_milestones(grow: Callable[..., Awaitable[None]]) -> None:
    await assert_cheap(grow, MemoryStore(), 1_000, 10_000)


async def test_runs_that_read_everything_lay_milestones() -> None:
    session = StoredSession("s", MemoryStore())
    for _ in range(600):
        await Runner.run(Agent("A", model=Yes()), "q", session=session)
    assert await cost(session, newest) < MOST / 2


async def test_older_turns_are_found_near_a_milestone() -> None:
    session = StoredSession("s", MemoryStore())
    await in_bulk(session, 100_000)
    positions = (await session.store.read(Log("s"))).positions[::2]
    # The milestones behind the turn are read, one for each 64 records.
    for number, most in ((49_990, 300), (25_000, 3_000), (3, 6_000)):
        counting = Counting(session.store)
        index = TurnIndex(LogReader(counting, Log("s")))
        assert await index.start_of(number) == positions[number - 1]
        assert counting.records < most


@pytest.mark.stores("sqlite", "sqlite+sqlalchemy", "postgres", "mariadb", "redis", "dapr")
async def test_it_is_so_on_every_store(any_store: Store) -> None:
    await assert_cheap(by_forks, any_store, 1_000, 100_000)
