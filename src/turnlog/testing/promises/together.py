"""Concurrency: many writers and readers at once lose nothing and mix nothing up."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Coroutine
from typing import Any

from turnlog.records import Log, Record
from turnlog.store import Store
from turnlog.testing.looking import head_of, payloads_of

__all__ = ["Together"]

WRITERS = 8
BATCHES = 6
SIZE = 3

# A store that belongs to one event loop may leave the others waiting for ever.
PATIENCE = 200.0


def _batch(writer: int, number: int) -> list[bytes]:
    return [b"%d.%d.%d" % (writer, number, n) for n in range(SIZE)]


async def _write(store: Store, log: Log, writer: int) -> None:
    for number in range(BATCHES):
        await store.append(log, _batch(writer, number))


def _assert_whole_and_in_order(payloads: list[bytes], writers: int) -> None:
    """Every batch is stored once and unbroken, and the batches of each writer are in order."""
    batches = [payloads[start : start + SIZE] for start in range(0, len(payloads), SIZE)]
    for writer in range(writers):
        mark = b"%d." % writer
        own = [batch for batch in batches if batch[0].startswith(mark)]
        assert own == [_batch(writer, number) for number in range(BATCHES)]
    assert len(batches) == writers * BATCHES


async def _follow(store: Store, log: Log, writing: asyncio.Future[Any]) -> list[Record]:
    """The records that a reader collects who each time asks for the new ones only."""
    gathered: list[Record] = []
    over = False
    while not over:
        over = writing.done()
        after = gathered[-1].position if gathered else 0
        gathered += await store.read(log, after=after)
        await asyncio.sleep(0)
    return gathered


async def _watch(store: Store, log: Log, writing: asyncio.Future[Any]) -> list[Record]:
    """The last of many reads, each of which has to begin with all records of the one before."""
    shown: list[Record] = []
    over = False
    while not over:
        over = writing.done()
        latest = await store.read(log)
        assert latest[: len(shown)] == shown
        shown = list(latest)
        await asyncio.sleep(0)
    return shown


async def _in_a_thread(work: Coroutine[Any, Any, None]) -> None:
    """Run `work` in an event loop of its own, on a thread of its own."""
    await asyncio.to_thread(asyncio.run, asyncio.wait_for(work, PATIENCE))


class Together:
    """Tasks, handles, threads and event loops may use a store at the same time."""

    async def test_many_writers_on_one_log(self, store: Store, twin: Store, log: Log) -> None:
        handles = [store, twin] * (WRITERS // 2)
        await asyncio.gather(*(_write(handle, log, n) for n, handle in enumerate(handles)))
        _assert_whole_and_in_order(await payloads_of(store, log), WRITERS)

    async def test_many_writers_on_many_logs(self, store: Store, twin: Store) -> None:
        logs = [Log(session, name) for session in "abcd" for name in ("main", "side", ":usage")]
        handles = [store, twin] * 6
        await asyncio.gather(*(_write(h, log, 0) for h, log in zip(handles, logs, strict=True)))
        for log in logs:
            _assert_whole_and_in_order(await payloads_of(twin, log), 1)

    async def test_a_later_read_extends_an_earlier_one(
        self, store: Store, twin: Store, log: Log
    ) -> None:
        handles = [store, twin] * (WRITERS // 2)
        writing = asyncio.gather(*(_write(handle, log, n) for n, handle in enumerate(handles)))
        watched, followed, _ = await asyncio.gather(
            _watch(twin, log, writing), _follow(twin, log, writing), writing
        )
        assert watched == followed == await store.read(log)

    async def test_logs_are_made_once(self, store: Store, twin: Store, log: Log) -> None:
        handles = [store, twin] * 4
        await asyncio.gather(
            *(handle.append(log, [b"1"]) for handle in handles),
            *(handle.annotate(log, b"note") for handle in handles),
        )
        names = [head.log.name for head in await store.logs(log.session)]
        assert names == sorted({"main", log.name})
        head = await head_of(store, log)
        assert (head.length, head.note) == (8, b"note")

    async def test_readers_see_whole_batches(self, store: Store, twin: Store, log: Log) -> None:
        async def write() -> None:
            for number in range(20):
                await store.append(log, _batch(0, number))
                await asyncio.sleep(0)

        writing = asyncio.create_task(write())
        while not writing.done():
            assert len(await twin.read(log)) % SIZE == 0
            await asyncio.sleep(0)
        await writing

    async def test_event_loops_in_threads(self, store: Store, twin: Store, log: Log) -> None:
        handles = [store, store, twin, store]
        await asyncio.gather(
            asyncio.wait_for(_write(store, log, 0), PATIENCE),
            *(_in_a_thread(_write(handle, log, n)) for n, handle in enumerate(handles, 1)),
        )
        _assert_whole_and_in_order(await payloads_of(store, log), 5)

    async def test_threads_that_begin_at_once(self, store: Store, log: Log) -> None:
        """Threads start together and are switched as often as possible."""
        start = threading.Barrier(4)

        async def write(writer: int) -> None:
            try:
                for number in range(BATCHES):
                    start.wait(PATIENCE)
                    await store.append(log, _batch(writer, number))
            except BaseException:
                start.abort()  # the others need not wait for this one
                raise

        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            await asyncio.gather(*(_in_a_thread(write(n)) for n in range(4)))
        finally:
            sys.setswitchinterval(before)
        _assert_whole_and_in_order(await payloads_of(store, log), 4)

    async def test_an_event_loop_may_end_before_the_store(self, store: Store, log: Log) -> None:
        for n in range(3):
            await _in_a_thread(_write(store, log, n))
        _assert_whole_and_in_order(await payloads_of(store, log), 3)
