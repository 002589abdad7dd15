"""Commits to several logs at any moment: of a kill, a cancellation, a lost answer. All or nothing.

What has to be there after some commits is what a store in memory holds after them.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from functools import lru_cache
from itertools import count

import pytest

from tests.killing import said_until_killed
from tests.programs.commit_until_killed import TASKS, changes, commit, forked
from tests.sizes import COMMITS, KILLED_COMMITS
from turnlog import Store, open_store
from turnlog.stores.memory import MemoryStore
from turnlog.testing import Failing, Failure
from turnlog.testing.looking import seen
from turnlog.testing.promises.cancelling import cancelled_at_random

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

#: The name, note and payloads of every log.
Contents = list[tuple[str, bytes, list[bytes]]]

files_and_servers = pytest.mark.stores("sqlite", "postgres", "mariadb", "redis", "dapr")
everywhere = pytest.mark.stores("memory", "sqlite", "postgres", "mariadb", "redis", "dapr")


async def _contents(store: Store, session: str) -> Contents:
    found = await seen(store, session)
    return [(head.log.name, head.note, list(records.payloads)) for head, records in found]


@lru_cache(maxsize=4096)
def _after(count: int) -> Contents:
    """What a session holds after that many commits."""

    async def made() -> Contents:
        store = MemoryStore()
        for number in range(count):
            await store.commit("s", await changes(store, "s", number))
        return await _contents(store, "s")

    return asyncio.run(made())


async def _settled(store: Store, session: str) -> Contents:
    """The contents once they are at rest: a server may still do what a dead client asked for."""
    latest = await _contents(store, session)
    while True:
        await asyncio.sleep(0.005)
        before, latest = latest, await _contents(store, session)
        if before == latest:
            return latest


@pytest.fixture
async def watching(any_url: str) -> AsyncIterator[Store]:
    async with open_store(any_url) as store:
        yield store


@pytest.mark.proof
@files_and_servers
async def test_a_killed_process_leaves_whole_commits(any_url: str, watching: Store) -> None:
    dice = random.Random(20261127)
    states: Counter[bool] = Counter()
    for round_ in count():
        if round_ >= KILLED_COMMITS and states[False]:  # one was killed between two commits
            return
        sessions = [f"{round_}.{task}" for task in range(TASKS)]
        acknowledged = await asyncio.to_thread(_killed, any_url, sessions, dice.uniform(0, 0.03))
        for session, made in zip(sessions, acknowledged, strict=True):
            found = await _settled(watching, session)
            # At most one commit was made whose acknowledgement did not get out.
            unheard = found == await asyncio.to_thread(_after, made + 1)
            assert unheard or found == await asyncio.to_thread(_after, made)
            states[unheard] += 1
            assert await commit(watching, session, made) or not unheard
            assert await _contents(watching, session) == await asyncio.to_thread(_after, made + 1)
            await watching.delete(session)


def _killed(url: str, sessions: list[str], delay: float) -> list[int]:
    """Kill a writer `delay` after its first commit; returns how many it said it had made."""
    text = said_until_killed(*forked(url, sessions), delay)
    lines = [line.split() for line in text.split(b"\n")[:-1]]
    counts = [0] * len(sessions)
    for place, number in lines:
        counts[int(place)] = int(number) + 1
    return counts


@pytest.mark.proof
@everywhere
async def test_a_cancelled_commit_is_whole(any_store: Store) -> None:
    dice = random.Random(20261128)
    made = 0
    for round_ in range(COMMITS):
        session = f"s{round_ // 20}"
        number = made if round_ % 20 else 0
        made_now = await changes(any_store, session, number)
        returned = await cancelled_at_random(dice, any_store.commit(session, made_now))
        found = await _contents(any_store, session)
        done = found == await asyncio.to_thread(_after, number + 1)
        assert done or found == await asyncio.to_thread(_after, number)
        assert done or not returned
        made = number + done


@pytest.mark.proof
@everywhere
async def test_commits_are_made_once_among_lost_answers(any_store: Store) -> None:
    dice = random.Random(20261129)
    lost = Counter[bool]()

    def plan(verb: str) -> Failure | None:
        if verb != "commit" or dice.random() < 0.5:
            return None
        happened = dice.random() < 0.7
        lost[happened] += 1
        return Failure(ConnectionError("lost"), happened=happened)

    failing = Failing(any_store, plan)
    for round_ in range(COMMITS):
        session, number = f"s{round_ // 20}", round_ % 20
        await _until_it_answers(failing, session, number)
        assert await _contents(any_store, session) == await asyncio.to_thread(_after, number + 1)
    assert lost[True] > 0 < lost[False]


async def _until_it_answers(store: Store, session: str, number: int) -> None:
    for _ in range(100):
        try:
            await commit(store, session, number)
        except ConnectionError:
            continue
        return
    raise AssertionError("a hundred answers were lost one after another")
