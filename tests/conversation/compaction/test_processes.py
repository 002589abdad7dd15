"""Two processes compact one conversation, while a third one changes what it holds."""

import asyncio

import pytest

from tests.conversation.compaction.listing_summariser import checked
from tests.programs.compact_together import SESSION, changing, compacting, shared_event
from tests.sizes import WALK
from turnlog import StoredSession, open_store

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


@pytest.mark.proof
@pytest.mark.stores("sqlite", "postgres", "redis")
async def test_nothing_is_lost_or_shown_twice(any_url: str) -> None:
    over, have_compacted = shared_event(), [shared_event(), shared_event()]
    compacters = [
        compacting(any_url, seed, event, over) for seed, event in enumerate(have_compacted, 1)
    ]
    try:
        left = await asyncio.to_thread(changing(any_url, 3, WALK, have_compacted).result)
    finally:
        over.set()
    made = [await asyncio.to_thread(each.result) for each in compacters]
    assert all(sum(each) > 0 for each in made), "both have stored summaries"
    async with open_store(any_url) as store:
        main = StoredSession(SESSION, store)
        assert await checked(main) == left
        for branch in await main.branches():
            await checked(StoredSession(SESSION, store, branch=branch.name))
