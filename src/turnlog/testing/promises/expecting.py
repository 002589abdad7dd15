"""Compare-and-swap: `expect` makes a write depend on where its log ends."""

from __future__ import annotations

import asyncio

import pytest

from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import seen
from turnlog.testing.promises.windows import BEYOND

__all__ = ["Expecting"]

TASKS = 6
STEPS = 4


class Expecting:
    """`append(expect=…)` writes only if the log ends at the expected position."""

    async def test_an_empty_log_ends_at_zero(self, store: Store, log: Log) -> None:
        first = await store.append(log, [b"1"], expect=0)
        with pytest.raises(Conflict):
            await store.append(log, [b"2"], expect=0)
        await store.remove(log)
        assert await store.append(log, [b"3"], expect=0) > first

    async def test_the_expected_position(self, store: Store, twin: Store, log: Log) -> None:
        first = await store.append(log, [b"1", b"2"])
        second = await twin.append(log, [b"3"], expect=first)
        assert await store.append(log, [b"4"], expect=second) > second

    async def test_an_unexpected_position_writes_nothing(self, store: Store, log: Log) -> None:
        first = await store.append(log, [b"1"])
        last = await store.append(log, [b"2"])
        before = await seen(store, log.session)
        for wrong in (0, first, last - 1, last + 1, -1, *BEYOND):
            with pytest.raises(Conflict) as caught:
                await store.append(log, [b"3"], expect=wrong)
            conflict = caught.value
            assert (conflict.log, conflict.expected, conflict.actual) == (log, wrong, last)
        assert await seen(store, log.session) == before

    async def test_an_unexpected_position_makes_no_log(self, store: Store, log: Log) -> None:
        with pytest.raises(Conflict) as caught:
            await store.append(log, [b"1"], expect=7)
        assert (caught.value.expected, caught.value.actual) == (7, 0)
        assert await store.logs(log.session) == []
        assert await store.sessions() == []

    async def test_after_a_removal_the_end_is_what_is_left(self, store: Store, log: Log) -> None:
        first = await store.append(log, [b"1"])
        last = await store.append(log, [b"2"])
        await store.remove(log, after=first)
        with pytest.raises(Conflict):
            await store.append(log, [b"3"], expect=last)
        assert await store.append(log, [b"3"], expect=first) > last

    async def test_no_payloads_still_expect(self, store: Store, log: Log) -> None:
        assert await store.append(log, [], expect=0) == 0
        last = await store.append(log, [b"1"])
        before = await seen(store, log.session)
        assert await store.append(log, [], expect=last) == last
        with pytest.raises(Conflict):
            await store.append(log, [], expect=0)
        assert await seen(store, log.session) == before

    async def test_another_log_is_another_end(self, store: Store, log: Log) -> None:
        await store.append(log, [b"1"])
        for other in (Log(log.session, "side"), Log("other", log.name)):
            assert await store.append(other, [b"1"], expect=0) > 0

    async def test_one_of_many_who_expect_the_same_wins(
        self, store: Store, twin: Store, log: Log
    ) -> None:
        last = await store.append(log, [b"1"])
        answers = await asyncio.gather(
            *(handle.append(log, [b"2"], expect=last) for handle in [store, twin] * 4),
            return_exceptions=True,
        )
        assert sum(isinstance(answer, Conflict) for answer in answers) == 7
        assert [r.payload for r in await store.read(log)] == [b"1", b"2"]

    async def test_no_increment_is_lost(self, store: Store, twin: Store, log: Log) -> None:
        handles = [store, twin] * (TASKS // 2)
        await asyncio.gather(*(_count(handle, log, STEPS) for handle in handles))
        (newest,) = await store.read(log, limit=1)
        assert int(newest.payload) == TASKS * STEPS
        assert len(await store.read(log)) == TASKS * STEPS


async def _count(store: Store, log: Log, steps: int) -> None:
    # A writer that meets a conflict was overtaken by another, so there are no more of them.
    for _ in range(TASKS * STEPS):
        steps -= await _increment(store, log)
        if not steps:
            return
    raise AssertionError("there were more conflicts than writes")


async def _increment(store: Store, log: Log) -> bool:
    newest = await store.read(log, limit=1)
    last, count = (newest[0].position, int(newest[0].payload)) if newest else (0, 0)
    try:
        await store.append(log, [b"%d" % (count + 1)], expect=last)
    except Conflict:
        return False
    return True
