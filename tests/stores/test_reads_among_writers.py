"""Reads among writers: a later read extends an earlier one, on every store."""

import asyncio

import pytest

from tests.sizes import READS
from turnlog import Log, Store

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

LOG = Log("a")

# The log is emptied once it has more records than that.
_MOST = 500


@pytest.mark.proof
@pytest.mark.stores("memory", "sqlite", "postgres", "mariadb", "redis", "dapr")
async def test_a_later_read_extends_an_earlier_one(any_store: Store) -> None:
    writers = [asyncio.create_task(_write(any_store, number)) for number in range(8)]
    try:
        await _watch(any_store)
    finally:
        for writer in writers:
            writer.cancel()
        ends = await asyncio.gather(*writers, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ends), ends


async def _write(store: Store, number: int) -> None:
    """Add three records at a time, for ever."""
    while True:
        await store.append(LOG, [b"%d %d" % (number, part) for part in range(3)])
        if len(await store.read(LOG, limit=_MOST)) == _MOST:
            await store.remove(LOG)
        await asyncio.sleep(0)  # a store in memory never waits


async def _watch(store: Store) -> None:
    """Read often, and until the log was seen to grow many times."""
    seen: set[int] = set()
    reads = grown = newest = 0
    while reads < READS or grown < READS / 20:
        positions = (await store.read(LOG)).positions
        # What is older than what was seen last was seen already, or else records were reordered.
        assert seen.issuperset(position for position in positions if position <= newest)
        assert len(positions) % 3 == 0, "a part of a batch"
        if positions:
            grown += positions[-1] > newest
            newest, seen = max(newest, positions[-1]), {*positions}
        reads += 1
        await asyncio.sleep(0)
