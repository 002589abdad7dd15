"""Times of records: `Append.times` sets them, and they never decide an order."""

from __future__ import annotations

import time

import pytest

from turnlog.changes import Append
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import all_sessions, head_of, payloads_of
from turnlog.testing.promises.heads import TOLERANCE

__all__ = ["Times"]

#: Whole seconds, which every store keeps, in no order.
GIVEN = (1_000_000_000.0, 86_400.0, 1_700_000_000.0, 86_400.0, 500_000_000.0)


async def _append(store: Store, log: Log, times: list[float | None]) -> None:
    batch = [b"%d" % n for n in range(len(times))]
    await store.commit(log.session, [Append(log.name, batch, times=times)])


class Times:
    """A record has the time that it was given, or the time of its commit."""

    async def test_times_are_read_as_they_were_given(
        self, store: Store, twin: Store, log: Log
    ) -> None:
        await _append(store, log, [*GIVEN])
        assert list((await twin.read(log)).times) == [*GIVEN]
        assert [record.created_at for record in await twin.read(log, limit=2)] == [*GIVEN[-2:]]

    async def test_none_means_now(self, store: Store, log: Log) -> None:
        begun = time.time()
        await _append(store, log, [GIVEN[0], None, GIVEN[1], None])
        ended = time.time()
        first, now, second, also = (await store.read(log)).times
        assert (first, second) == GIVEN[:2]
        for moment in (now, also):
            assert begun - TOLERANCE <= moment <= ended + TOLERANCE

    async def test_fractions_of_seconds(self, store: Store, log: Log) -> None:
        given = [1_234_567_890.25, 1_234_567_890.999999, 1.5]
        await _append(store, log, [*given])
        for moment, stored in zip(given, (await store.read(log)).times, strict=True):
            assert abs(stored - moment) < 1

    async def test_many_records_have_the_time_of_each(self, store: Store, log: Log) -> None:
        """Some with times of their own, some in a row with the same one, and no round number."""
        singly = [GIVEN[2] + n for n in range(301)]
        given = [*[GIVEN[0]] * 300, *singly, *[GIVEN[1]] * 17, *[GIVEN[4]] * 261]
        await _append(store, log, [*given])
        records = await store.read(log)
        assert list(records.times) == given
        assert list(records.payloads) == [b"%d" % n for n in range(len(given))]

    @pytest.mark.parametrize("moment", [0.0, 1.0, 2_147_483_648.0, 253_402_300_799.0])
    async def test_times_far_away_are_kept_or_refused(
        self, store: Store, log: Log, moment: float
    ) -> None:
        """A column of a database may end in 2038."""
        await store.append(log, [b"before"])
        try:
            await _append(store, log, [moment])
        except ValueError:
            assert await payloads_of(store, log) == [b"before"]
        else:
            assert (await store.read(log)).times[1] == moment

    async def test_order_is_by_position(self, store: Store, log: Log) -> None:
        await store.append(log, [b"now"])
        await _append(store, log, [*GIVEN])
        await store.append(log, [b"then"])
        expected = [b"now", b"0", b"1", b"2", b"3", b"4", b"then"]
        assert await payloads_of(store, log) == expected
        assert list((await store.read(log, limit=2)).payloads) == expected[-2:]
        assert list((await store.read(log, limit=2, oldest=True)).payloads) == expected[:2]

    async def test_heads_and_lists_go_by_commits(self, store: Store) -> None:
        begun = time.time() - TOLERANCE
        await _append(store, Log("a"), [GIVEN[2]])
        await _append(store, Log("b"), [GIVEN[1]])
        await _append(store, Log("c"), [GIVEN[0]])
        assert await all_sessions(store) == ["c", "b", "a"]
        await _append(store, Log("a"), [GIVEN[0]])
        assert await all_sessions(store) == ["a", "c", "b"]
        head = await head_of(store, Log("a"))
        assert begun <= head.created_at <= head.updated_at

    async def test_a_copy_keeps_its_times(self, store: Store, log: Log) -> None:
        await _append(store, log, [*GIVEN])
        records = await store.read(log)
        copy = Append("copy", records.payloads, times=[*records.times, None][: len(records)])
        await store.commit(log.session, [copy])
        assert list((await store.read(Log(log.session, "copy"))).times) == [*GIVEN]
