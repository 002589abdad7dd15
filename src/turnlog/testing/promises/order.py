"""Order: records are read in the order of their appends; a position is used for one record only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from turnlog.changes import Forget
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import end_of, payloads_of, positions_of, seen

__all__ = ["Order"]

OTHER = Log("other session", "other log")


async def _remove_the_tail(store: Store, log: Log, last: int) -> None:
    await store.remove(log, after=last - 1)


async def _remove_everything(store: Store, log: Log, last: int) -> None:  # noqa: ARG001 - one of four
    await store.remove(log)


async def _forget_the_log(store: Store, log: Log, last: int) -> None:  # noqa: ARG001 - one of four
    await store.commit(log.session, [Forget(log.name)])


async def _delete_the_session(store: Store, log: Log, last: int) -> None:  # noqa: ARG001 - one of four
    await store.delete(log.session)


class Order:
    """`append` writes at the end; positions grow and are never used again."""

    async def test_records_come_back_in_the_order_of_appends(self, store: Store, log: Log) -> None:
        await store.append(log, [b"1", b"2"])
        await store.append(log, [b"3"])
        await store.append(log, [b"4", b"5", b"6"])
        assert await payloads_of(store, log) == [b"1", b"2", b"3", b"4", b"5", b"6"]

    async def test_another_handle_reads_the_same(self, store: Store, twin: Store, log: Log) -> None:
        await store.append(log, [b"1", b"2"])
        await twin.append(log, [b"3"])
        assert await store.read(log) == await twin.read(log)
        assert await payloads_of(twin, log) == [b"1", b"2", b"3"]

    async def test_append_returns_the_last_position(self, store: Store, log: Log) -> None:
        for batch in ([b"1"], [b"2", b"3"], [b"4"]):
            assert await store.append(log, batch) == await end_of(store, log)

    async def test_positions_grow_from_above_zero(self, store: Store, log: Log) -> None:
        for batch in ([b"1", b"2"], [b"3"]):
            await store.append(log, batch)
            await store.append(OTHER, batch)
        positions = await positions_of(store, log)
        assert positions[0] > 0
        assert all(type(position) is int for position in positions)
        assert positions == sorted(set(positions))

    async def test_no_payloads_make_no_log(self, store: Store, log: Log) -> None:
        assert await store.append(log, []) == 0
        assert await store.logs(log.session) == []
        assert await store.sessions() == []

    async def test_no_payloads_change_nothing(self, store: Store, log: Log) -> None:
        last = await store.append(log, [b"1"])
        before = await seen(store, log.session)
        assert await store.append(log, []) == last
        assert await seen(store, log.session) == before

    @pytest.mark.parametrize(
        "forget",
        [_remove_the_tail, _remove_everything, _forget_the_log, _delete_the_session],
    )
    async def test_positions_are_never_used_again(
        self,
        store: Store,
        twin: Store,
        log: Log,
        forget: Callable[[Store, Log, int], Awaitable[None]],
    ) -> None:
        used = 0
        for handle in (store, twin, store):
            last = await handle.append(log, [b"1", b"2", b"3"])
            assert (await positions_of(store, log))[-3] > used
            await forget(handle, log, last)
            used = last
        assert await store.append(log, [b"4"]) > used
