"""Cancellation: a write that is cancelled at any moment is done whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Generator
from itertools import count
from random import Random
from typing import Any

from turnlog.changes import Annotate, Append, Change, Key
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import payloads_of, seen

__all__ = ["Cancelling", "cancelled_at", "cancelled_at_random"]

ROUNDS = 24
BATCH = [b"1", b"2", b"3"]


async def cancelled_at_random(chance: Random, work: Coroutine[Any, Any, object]) -> bool:
    """Start `work` and cancel it at a random moment; returns whether it returned nevertheless."""
    task = asyncio.ensure_future(work)
    if chance.random() < 0.5:
        for _ in range(chance.randrange(12)):
            await asyncio.sleep(0)
    else:
        await asyncio.sleep(chance.random() * 0.004)
    task.cancel()
    await asyncio.wait([task])
    if task.cancelled():
        return False
    task.result()
    return True


async def cancelled_at(step: int, work: Coroutine[Any, Any, object]) -> bool:
    """Start `work` and cancel it where it waits for the `step`-th time, counted from 1.

    Returns whether it returned nevertheless, as when it waits less often.
    """

    async def task() -> None:
        await _CancelledAt(step, work)

    running = asyncio.ensure_future(task())
    await asyncio.wait([running])
    if running.cancelled():
        return False
    running.result()
    return True


class _CancelledAt(Awaitable[object]):
    """Awaits `work`, and cancels the task that does so at one of its steps."""

    def __init__(self, step: int, work: Coroutine[Any, Any, object]) -> None:
        self._step = step
        self._work = work.__await__()

    def __await__(self) -> Generator[Any, Any, object]:
        task, error = asyncio.current_task(), None
        for step in count(1):
            try:
                waits_for = self._work.throw(error) if error else self._work.send(None)
            except StopIteration as end:
                return end.value
            if step == self._step and task is not None:
                task.cancel()
            error = None
            try:
                yield waits_for
            except BaseException as raised:  # noqa: BLE001 - passed on to `work`
                error = raised
        return None  # never


class Cancelling:
    """Once a cancelled task has ended, its write is done or will never be done."""

    async def test_a_cancelled_batch_is_there_or_not(
        self, store: Store, twin: Store, log: Log
    ) -> None:
        chance = Random(1)  # noqa: S311 - the same moments in every run
        found: list[bytes] = []
        for _ in range(ROUNDS):
            returned = await cancelled_at_random(chance, store.append(log, BATCH))
            now = await payloads_of(twin, log)
            assert now in ([*found, *BATCH], found)
            assert not returned or len(now) > len(found)
            found = now

    async def test_nothing_arrives_after_the_cancelled_task_ended(
        self, store: Store, log: Log
    ) -> None:
        chance = Random(2)  # noqa: S311 - the same moments in every run
        logs = [Log(f"s{n}", log.name) for n in range(ROUNDS)]
        outcomes = []
        for each in logs:
            await cancelled_at_random(chance, store.append(each, BATCH))
            outcomes.append(await payloads_of(store, each))
        await store.append(log, [b"done"])
        await asyncio.sleep(0.02)
        assert outcomes == [await payloads_of(store, each) for each in logs]

    async def test_cancelling_many_at_once(self, store: Store, log: Log) -> None:
        chance = Random(3)  # noqa: S311 - the same moments in every run
        batches = [[b"%d.%d" % (n, m) for m in range(3)] for n in range(ROUNDS)]
        returned = await asyncio.gather(
            *(cancelled_at_random(chance, store.append(log, batch)) for batch in batches)
        )
        stored = await payloads_of(store, log)
        there = [stored[start : start + 3] for start in range(0, len(stored), 3)]
        assert all(batch in batches and there.count(batch) == 1 for batch in there)
        for batch, came_back in zip(batches, returned, strict=True):
            assert batch in there or not came_back

    async def test_a_cancelled_try_repeated_with_the_same_key_stores_once(
        self, store: Store, log: Log
    ) -> None:
        chance = Random(4)  # noqa: S311 - the same moments in every run
        for n in range(ROUNDS):
            batch = [b"%d.%d" % (n, m) for m in range(3)]
            while not await cancelled_at_random(chance, store.append(log, batch, key=Key(f"k{n}"))):
                assert (await payloads_of(store, log))[3 * n :] in ([], batch)
                if chance.random() < 0.5:
                    await store.append(log, batch, key=Key(f"k{n}"))
                    break
            assert (await payloads_of(store, log))[3 * n :] == batch

    async def test_a_cancelled_commit_is_in_all_logs_or_in_none(
        self, store: Store, twin: Store
    ) -> None:
        chance = Random(8)  # noqa: S311 - the same moments in every run
        found: list[bytes] = []
        for n in range(ROUNDS):
            payload = b"%d" % n
            changes: list[Change] = [
                Append("main", [payload]),
                Append(":usage", [payload]),
                Annotate("main", payload),
                Append(":lease", [payload], cut=0),
            ]
            returned = await cancelled_at_random(chance, store.commit("s", changes))
            now = await payloads_of(twin, Log("s"))
            assert now in ([*found, payload], found)
            assert not returned or len(now) > len(found)
            found = now
            assert await payloads_of(twin, Log("s", ":usage")) == found
            assert await payloads_of(twin, Log("s", ":lease")) == found[-1:]
            notes = [head.note for head in await twin.logs("s") if head.log.name == "main"]
            assert notes == found[-1:]

    async def test_a_cancelled_commit_to_several_logs_repeated_with_its_key(
        self, store: Store, twin: Store
    ) -> None:
        chance = Random(9)  # noqa: S311 - the same moments in every run
        for n in range(ROUNDS):
            changes: list[Change] = [Append("main", [b"%d" % n]), Append(":usage", [b"%d" % n] * 2)]
            key = Key(f"k{n}", brief=n % 2 == 0)
            while not await cancelled_at_random(chance, store.commit("s", changes, key=key)):
                if chance.random() < 0.5:
                    await twin.commit("s", changes, key=key)
                    break
        expected = [b"%d" % n for n in range(ROUNDS)]
        assert await payloads_of(store, Log("s")) == expected
        doubled = [payload for payload in expected for _ in range(2)]
        assert await payloads_of(store, Log("s", ":usage")) == doubled

    async def test_a_cancelled_removal_is_done_or_not(self, store: Store, log: Log) -> None:
        chance = Random(5)  # noqa: S311 - the same moments in every run
        for _ in range(ROUNDS // 2):
            last = await store.append(log, BATCH)
            returned = await cancelled_at_random(chance, store.remove(log, expect=last))
            left = await payloads_of(store, log)
            assert left == [] or (left == BATCH and not returned)
            await store.remove(log)

    async def test_a_cancelled_deletion_is_done_or_not(self, store: Store, log: Log) -> None:
        chance = Random(6)  # noqa: S311 - the same moments in every run
        for _ in range(ROUNDS // 2):
            await store.append(log, BATCH)
            await store.annotate(Log(log.session, "side"), b"note")
            before = await seen(store, log.session)
            returned = await cancelled_at_random(chance, store.delete(log.session))
            left = await seen(store, log.session)
            assert left == [] or (left == before and not returned)
            await store.delete(log.session)

    async def test_a_cancelled_read_harms_nobody(self, store: Store, log: Log) -> None:
        chance = Random(7)  # noqa: S311 - the same moments in every run
        await store.append(log, BATCH)
        reads = [store.read(log), store.logs(log.session), store.sessions(), store.read(log)]
        await asyncio.gather(*(cancelled_at_random(chance, read) for read in reads))
        assert await payloads_of(store, log) == BATCH
        await store.append(log, [b"4"])
        assert await payloads_of(store, log) == [*BATCH, b"4"]

    async def test_the_first_use_may_be_cancelled(self, store: Store, log: Log) -> None:
        task = asyncio.ensure_future(store.append(log, BATCH))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        before = await payloads_of(store, log)
        assert before in ([], BATCH)
        await store.append(log, [b"4"])
        assert await payloads_of(store, log) == [*before, b"4"]

    async def test_being_cancelled_twice_changes_nothing(self, store: Store, log: Log) -> None:
        for _ in range(ROUNDS // 2):
            before = await payloads_of(store, log)
            task = asyncio.ensure_future(store.append(log, BATCH))
            while not task.done():
                await asyncio.sleep(0)
                task.cancel()
            await asyncio.wait([task])
            left = await payloads_of(store, log)
            assert left in (before, [*before, *BATCH])
            await store.append(log, [b"."])
            assert await payloads_of(store, log) == [*left, b"."]
