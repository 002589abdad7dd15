"""Branches among processes that are killed, or that want the same name. All or nothing."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.killing import rest_of, said_until_killed
from tests.programs.branch_until_killed import TALK, forked
from tests.sizes import KILLED_WRITERS
from turnlog import About, Item, Store, StoredSession, open_store

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

files_and_servers = pytest.mark.stores("sqlite", "postgres", "mariadb", "redis")

#: What main and the branch "b" hold, and what is known of the conversation.
State = tuple[int, int | None, About]

#: The items of each branch, and what is known of the conversation.
Contents = tuple[dict[str, int], list[Item], list[Item], About]

BEFORE: dict[str, State] = {
    "fork": (8, None, About()),
    "rewind": (8, None, About()),
    "clear": (8, 8, About(title="T", owner="o")),
}
AFTER: dict[str, State] = {
    "fork": (8, 4, About()),
    "rewind": (4, 8, About()),
    "clear": (0, None, About(owner="o")),
}


@pytest.fixture
async def watching(any_url: str) -> AsyncIterator[Store]:
    async with open_store(any_url) as store:
        yield store


async def _contents(session: StoredSession) -> Contents:
    lengths = {branch.name: branch.items for branch in await session.branches()}
    held = await session.get_items()
    branch = await StoredSession(session.session_id, session.store, branch="b").get_items()
    return lengths, held, branch, await session.about()


async def _settled(session: StoredSession) -> State:
    """The state once it is at rest: a server may still do what a dead client asked for.

    One read after the other may see it half: each is made again until all say the same.
    """
    latest = await _contents(session)
    while True:
        await asyncio.sleep(0.005)
        before, latest = latest, await _contents(session)
        if before == latest:
            return _state(*latest)


def _state(lengths: dict[str, int], held: list[Item], branch: list[Item], about: About) -> State:
    assert held == TALK[: len(held)]
    assert branch == TALK[: len(branch)]
    assert lengths.get("b", 0) == len(branch)
    return len(held), lengths.get("b"), about


@pytest.mark.proof
@files_and_servers
@pytest.mark.parametrize("work", ["fork", "rewind", "clear"])
async def test_a_killed_process_leaves_branches_whole(
    any_url: str, watching: Store, work: str
) -> None:
    dice = random.Random(20261130)
    states: Counter[bool] = Counter()
    for round_ in range(KILLED_WRITERS):
        begun = await asyncio.to_thread(_killed, work, any_url, f"{round_}", dice.uniform(0, 0.03))
        for number in range(begun):
            found = await _settled(StoredSession(f"{round_}.{number}", watching))
            assert found == AFTER[work]
        last = await _settled(StoredSession(f"{round_}.{begun}", watching))
        assert last in (BEFORE[work], AFTER[work])
        states[last == AFTER[work]] += 1
    assert sum(states.values()) == KILLED_WRITERS


def _killed(work: str, url: str, session: str, delay: float) -> int:
    """Kill a process `delay` after its first operation began; returns the last that began."""
    text = said_until_killed(*forked(work, url, session), delay)
    return int(text.split(b"\n")[-2])


@files_and_servers
async def test_one_of_two_processes_gets_a_name(any_url: str, watching: Store) -> None:
    session = StoredSession("s", watching)
    await session.add_items(TALK)
    given = await asyncio.to_thread(_two_processes, any_url)
    assert sorted(given) == list(range(20))
    branches = {branch.name: branch.items for branch in await session.branches()}
    assert branches == {"main": 8, **{f"name {number}": 9 for number in range(20)}}
    assert await session.get_items() == TALK


def _two_processes(url: str) -> list[int]:
    """The names that two processes were given, which began at about the same moment."""
    started = [forked("take", url, "s") for _ in range(2)]
    told = [rest_of(each) for _, each in started]
    for process, _ in started:
        process.join()
        assert process.exitcode == 0
        process.close()
    return [int(line) for text in told for line in text.split() if line != b"ready"]
