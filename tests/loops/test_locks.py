"""Locks for tasks on any event loop."""

import asyncio
import threading

import pytest

from turnlog.loops.locks import ProcessLock

pytestmark = pytest.mark.anyio


async def test_tasks_come_in_one_after_the_other_in_order() -> None:
    lock, inside = ProcessLock(), []

    async def work(n: int) -> None:
        async with lock:
            assert lock.is_held
            inside.append(n)
            await asyncio.sleep(0)
            assert inside[-1] == n

    await asyncio.gather(*(work(n) for n in range(20)))
    assert inside == list(range(20))
    assert not lock.is_held


async def test_a_task_that_is_cancelled_leaves_the_queue() -> None:
    lock = ProcessLock()

    async def wait() -> None:
        async with lock:
            pass

    async with lock:
        first, second = asyncio.create_task(wait()), asyncio.create_task(wait())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
    await second
    assert not lock.is_held


async def test_a_task_that_is_cancelled_as_it_is_let_in_lets_the_next_one_in() -> None:
    lock = ProcessLock()

    async def wait() -> None:
        async with lock:
            await asyncio.sleep(0)

    await lock.__aenter__()
    first, second = asyncio.create_task(wait()), asyncio.create_task(wait())
    await asyncio.sleep(0)
    await lock.__aexit__()
    first.cancel()
    await second
    assert first.cancelled()
    assert not lock.is_held


def test_threads_with_loops_of_their_own() -> None:
    lock, at_once, most = ProcessLock(), 0, 0

    async def work() -> None:
        nonlocal at_once, most
        for _ in range(50):
            async with lock:
                at_once += 1
                most = max(most, at_once)
                await asyncio.sleep(0)
                at_once -= 1

    threads = [threading.Thread(target=asyncio.run, args=(work(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert not lock.is_held
