"""Packed arguments: batches of many values arrive whole, in order, with their times."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from turnlog.changes import Append
from turnlog.records import Log
from turnlog.stores.redis import packing
from turnlog.stores.redis.packing import packed
from turnlog.stores.redis.store import RedisStore

LOG = Log("packed", "branch")


@pytest.mark.anyio
async def test_a_large_batch_is_stored_in_order(client: Redis) -> None:
    payloads = [bytes([number % 256]) * (number % 300) for number in range(2500)]
    times = [None if number % 3 else 1_000_000.25 + number for number in range(2500)]
    store = RedisStore(client)
    await store.commit(LOG.session, [Append(LOG.name, payloads, expect=0, times=times)])
    await store.append(LOG, payloads)
    records = await store.read(LOG)
    assert list(records.payloads) == payloads * 2
    assert list(records.positions) == sorted(set(records.positions))
    assert [records.times[at] for at in range(0, 2500, 3)] == times[::3]
    assert min(records.times[at] for at in range(1, 2500, 3)) > 1e9


def test_large_values_are_arguments_of_their_own() -> None:
    large = [b"x" * (packing._BYTES // 2)] * 3
    assert [len(each) for each in packed(large)] == [10 + len(large[0])] * 3
    assert len(list(packed([b"x"] * 2001))) == 3
