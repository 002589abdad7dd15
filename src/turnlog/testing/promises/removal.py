"""Removal: `remove` removes the records inside a window of positions, and no others."""

from __future__ import annotations

import asyncio
from itertools import product

import pytest

from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import end_of, head_of, payloads_of, positions_of, seen
from turnlog.testing.promises.windows import BEYOND

__all__ = ["Removal"]

RECORDS = 12


async def _filled(store: Store, log: Log) -> list[int]:
    """Append five records; returns their positions."""
    await store.append(log, [b"1", b"2", b"3", b"4", b"5"])
    return await positions_of(store, log)


class Removal:
    """`remove` works at either end and in the middle; the log stays."""

    async def test_removing_at_the_end(self, store: Store, log: Log) -> None:
        positions = await _filled(store, log)
        assert await store.remove(log, after=positions[2]) == positions[2]
        assert await positions_of(store, log) == positions[:3]

    async def test_removing_at_the_front(self, store: Store, log: Log) -> None:
        positions = await _filled(store, log)
        assert await store.remove(log, before=positions[2]) == positions[-1]
        assert await positions_of(store, log) == positions[2:]

    async def test_removing_in_the_middle(self, store: Store, log: Log) -> None:
        positions = await _filled(store, log)
        assert await store.remove(log, after=positions[1], before=positions[3]) == positions[-1]
        assert await payloads_of(store, log) == [b"1", b"2", b"4", b"5"]
        await store.append(log, [b"6"])
        assert await payloads_of(store, log) == [b"1", b"2", b"4", b"5", b"6"]

    async def test_any_window_is_removed(self, store: Store, log: Log) -> None:
        for start, stop in product(range(5), range(5)):
            positions = await _filled(store, log)
            doomed = positions[start + 1 : stop]
            end = await store.remove(log, after=positions[start], before=positions[stop])
            assert end == positions[-1]
            assert await positions_of(store, log) == [p for p in positions if p not in doomed]
            await store.remove(log)

    @pytest.mark.parametrize("beyond", BEYOND)
    async def test_removing_beyond_the_end(self, store: Store, log: Log, beyond: int) -> None:
        positions = await _filled(store, log)
        assert await store.remove(log, after=beyond) == positions[-1]
        assert await store.remove(log, before=-beyond) == positions[-1]
        assert await positions_of(store, log) == positions
        assert await store.remove(log, after=-beyond, before=beyond) == 0
        assert await store.read(log) == []

    async def test_removing_nothing_changes_nothing(self, store: Store, log: Log) -> None:
        positions = await _filled(store, log)
        before = await seen(store, log.session)
        assert await store.remove(log, after=positions[-1]) == positions[-1]
        assert await store.remove(log, after=positions[3], before=positions[1]) == positions[-1]
        assert await seen(store, log.session) == before

    async def test_removing_from_a_log_that_does_not_exist(self, store: Store, log: Log) -> None:
        assert await store.remove(log) == 0
        assert await store.remove(log, expect=0) == 0
        assert await store.logs(log.session) == []

    async def test_the_log_stays_when_nothing_is_left_in_it(self, store: Store, log: Log) -> None:
        await store.annotate(log, b"note")
        await _filled(store, log)
        assert await store.remove(log) == 0
        assert await store.read(log) == []
        head = await head_of(store, log)
        assert (head.last, head.length, head.note) == (0, 0, b"note")

    async def test_removing_with_the_right_expectation(self, store: Store, log: Log) -> None:
        positions = await _filled(store, log)
        assert await store.remove(log, after=positions[-2], expect=positions[-1]) == positions[-2]
        assert await store.remove(log, after=positions[0], expect=positions[-2]) == positions[0]
        assert await positions_of(store, log) == positions[:1]

    async def test_removing_with_a_wrong_expectation(self, store: Store, log: Log) -> None:
        positions = await _filled(store, log)
        before = await seen(store, log.session)
        for wrong in (0, positions[0], positions[-1] + 1, *BEYOND):
            with pytest.raises(Conflict) as caught:
                await store.remove(log, expect=wrong)
            conflict = caught.value
            assert (conflict.log, conflict.expected, conflict.actual) == (log, wrong, positions[-1])
        assert await seen(store, log.session) == before

    async def test_removing_with_an_expectation_from_an_empty_log(
        self, store: Store, log: Log
    ) -> None:
        with pytest.raises(Conflict) as caught:
            await store.remove(log, expect=1)
        assert caught.value.actual == 0
        assert await store.logs(log.session) == []

    async def test_two_who_take_the_newest_never_take_the_same(
        self, store: Store, twin: Store, log: Log
    ) -> None:
        records = [b"%d" % n for n in range(RECORDS)]
        await store.append(log, records)
        taken = await asyncio.gather(*(_take(handle, log) for handle in [store, twin] * 8))
        assert sorted(taken) == sorted([*records, b"", b"", b"", b""])
        assert await end_of(store, log) == 0


async def _take(store: Store, log: Log) -> bytes:
    """Remove the newest record; returns its payload, or b"" if the log is empty."""
    # A conflict means that another task removed a record, so there are no more conflicts than that.
    for _ in range(RECORDS + 1):
        newest = await store.read(log, limit=1)
        if not newest:
            return b""
        position, payload, _ = newest[0]
        try:
            await store.remove(log, after=position - 1, expect=position)
        except Conflict:
            continue
        return payload
    raise AssertionError("there were more conflicts than removals")
