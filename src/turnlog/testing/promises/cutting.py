"""Cutting: `Append` with `cut` replaces the end of a log in one step."""

from __future__ import annotations

import asyncio

import pytest

from turnlog.changes import Append, Key
from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import head_of, payloads_of, positions_of, seen
from turnlog.testing.promises.windows import BEYOND

__all__ = ["Cutting"]


async def _cut(store: Store, log: Log, batch: list[bytes], cut: int) -> int:
    return (await store.commit(log.session, [Append(log.name, batch, cut=cut)])).positions[0]


class Cutting:
    """The records behind `cut` go, the new ones get positions that were never used."""

    async def test_the_end_is_replaced(self, store: Store, twin: Store, log: Log) -> None:
        await store.append(log, [b"1", b"2", b"3", b"4"])
        before = await positions_of(store, log)
        last = await _cut(twin, log, [b"5", b"6"], before[1])
        after = await positions_of(store, log)
        assert await payloads_of(store, log) == [b"1", b"2", b"5", b"6"]
        assert after[:2] == before[:2]
        assert before[-1] < after[2] < after[3] == last
        head = await head_of(store, log)
        assert (head.last, head.length) == (last, 4)

    async def test_everything_is_replaced(self, store: Store, log: Log) -> None:
        end = await store.append(log, [b"1", b"2"])
        for cut in (0, -1, -(10**30)):
            last = await _cut(store, log, [b"3"], cut)
            assert last > end
            assert await payloads_of(store, log) == [b"3"]
            assert await positions_of(store, log) == [last]
            end = last

    async def test_a_cut_behind_the_end_removes_nothing(self, store: Store, log: Log) -> None:
        end = await store.append(log, [b"1", b"2"])
        for n, beyond in enumerate((0, 1, *BEYOND)):
            end = await _cut(store, log, [b"%d" % n], end + beyond)
        assert await payloads_of(store, log) == [b"1", b"2", *(b"%d" % n for n in range(6))]

    async def test_a_cut_between_records(self, store: Store, log: Log) -> None:
        await store.append(log, [b"1", b"2", b"3"])
        first, second, third = await positions_of(store, log)
        await store.remove(log, after=first, before=third)
        assert await _cut(store, log, [b"4"], second) > third
        assert await payloads_of(store, log) == [b"1", b"4"]

    async def test_a_cut_that_adds_nothing(self, store: Store, log: Log) -> None:
        end = await store.append(log, [b"1", b"2", b"3"])
        first = (await positions_of(store, log))[0]
        assert await _cut(store, log, [], first) == first
        assert await payloads_of(store, log) == [b"1"]
        head = await head_of(store, log)
        assert (head.last, head.length) == (first, 1)
        assert await _cut(store, log, [], 0) == 0
        assert (await head_of(store, log)).length == 0
        assert await store.append(log, [b"4"], expect=0) > end

    async def test_a_cut_makes_a_missing_log_only_to_add(self, store: Store, log: Log) -> None:
        assert await _cut(store, log, [], 5) == 0
        assert await store.logs(log.session) == []
        assert await _cut(store, log, [b"1"], 5) > 0
        assert await payloads_of(store, log) == [b"1"]

    async def test_expect_is_the_end_before_the_cut(self, store: Store, log: Log) -> None:
        await store.append(log, [b"1", b"2"])
        first, last = await positions_of(store, log)
        before = await seen(store, log.session)
        for wrong in (0, first, last + 1):
            change = Append(log.name, [b"3"], expect=wrong, cut=first)
            with pytest.raises(Conflict) as caught:
                await store.commit(log.session, [change])
            assert caught.value.actual == last
        assert await seen(store, log.session) == before
        await store.commit(log.session, [Append(log.name, [b"3"], expect=last, cut=first)])
        assert await payloads_of(store, log) == [b"1", b"3"]

    async def test_positions_that_were_cut_are_never_used_again(
        self, store: Store, twin: Store, log: Log
    ) -> None:
        used = 0
        for handle in (store, twin, store, twin):
            last = await _cut(handle, log, [b"1", b"2", b"3"], 0)
            assert (await positions_of(store, log))[0] > used
            await _cut(handle, log, [], last - 1)
            await _cut(handle, log, [], 0)
            used = last
        assert await store.append(log, [b"4"]) > used

    async def test_under_one_key_the_end_is_replaced_once(self, store: Store, log: Log) -> None:
        await store.append(log, [b"1", b"2"])
        first, _ = await positions_of(store, log)
        cut = [Append(log.name, [b"3"], cut=first)]
        done = await store.commit(log.session, cut, key=Key("k"))
        await store.append(log, [b"4"])
        assert await store.commit(log.session, cut, key=Key("k")) == done._replace(replayed=True)
        assert await payloads_of(store, log) == [b"1", b"3", b"4"]

    async def test_other_logs_stay_as_they_are(self, store: Store, log: Log) -> None:
        side, elsewhere = Log(log.session, "side"), Log("elsewhere", log.name)
        for each in (log, side, elsewhere):
            await store.append(each, [b"1", b"2"])
        await _cut(store, log, [b"3"], 0)
        assert await payloads_of(store, side) == await payloads_of(store, elsewhere) == [b"1", b"2"]

    async def test_readers_never_see_the_log_without_its_end(
        self, store: Store, twin: Store, log: Log
    ) -> None:
        await store.append(log, [b"0", b"0"])

        async def replace() -> None:
            for n in range(1, 30):
                first = (await positions_of(store, log))[0]
                await _cut(store, log, [b"%d" % n], first)

        replacing = asyncio.create_task(replace())
        while not replacing.done():
            assert len(await twin.read(log)) == 2
            assert (await head_of(twin, log)).length == 2
            await asyncio.sleep(0)
        await replacing
        assert await payloads_of(twin, log) == [b"0", b"29"]
