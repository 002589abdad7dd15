"""Compactions and forks whose process is killed: each is there whole or not at all."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from tests.killing import said_until_killed
from tests.programs.branch_until_killed import TALK, forked
from tests.sizes import KILLED_WRITERS
from turnlog import Item, Store, StoredSession, open_store
from turnlog.conversation.compaction.summariser import summary_item
from turnlog.testing.five_turns import texts

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.fixture
async def watching(any_url: str) -> AsyncIterator[Store]:
    async with open_store(any_url) as store:
        yield store


async def _state(session: StoredSession) -> tuple[list[Item], list[Item], int]:
    fork = StoredSession(session.session_id, session.store, branch="b")
    assert await session.history() == TALK
    return await session.get_items(), await fork.get_items(), len(await fork.history())


async def _settled(session: StoredSession) -> tuple[list[Item], list[Item], int]:
    """The state at rest: a server may still do what a dead client asked for."""
    latest = await _state(session)
    while True:
        await asyncio.sleep(0.005)
        before, latest = latest, await _state(session)
        if before == latest:
            return latest


@pytest.mark.proof
@pytest.mark.stores("sqlite", "postgres", "redis")
async def test_a_killed_process_leaves_a_summary_whole(any_url: str, watching: Store) -> None:
    dice = random.Random(20261128)
    [summary] = await _compacted()
    before: tuple[list[Item], list[Item], int] = (TALK, [], 0)
    compacted: tuple[list[Item], list[Item], int] = ([summary, *TALK[4:]], [], 0)
    after = ([summary, *TALK[4:]], [summary, *TALK[4:6]], 6)
    for round_ in range(KILLED_WRITERS):
        process = forked("compact", any_url, f"{round_}")
        delay = dice.uniform(0, 0.03)
        text = await asyncio.to_thread(said_until_killed, *process, delay)
        begun = int(text.split(b"\n")[-2])
        for number in range(begun):
            assert await _settled(StoredSession(f"{round_}.{number}", watching)) == after
        last = await _settled(StoredSession(f"{round_}.{begun}", watching))
        assert last in (before, compacted, after)


async def _compacted() -> list[Item]:
    return [summary_item(await texts(TALK[:4]))]
