"""Cancellations that a driver loses."""

import asyncio
from contextlib import suppress

import pytest

from turnlog.loops.finishing import finished, heeded_cancellation

pytestmark = pytest.mark.anyio


async def test_a_cancellation_that_was_swallowed_is_raised() -> None:
    async def work() -> None:
        # Suppressed, as `asyncio.wait_for` of Python 3.11 does.
        with heeded_cancellation(), suppress(asyncio.CancelledError):
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_what_a_cancelled_task_tidies_up_is_done() -> None:
    """The cancellation came before the block."""
    done = False

    async def work() -> None:
        nonlocal done
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            with heeded_cancellation():
                await asyncio.sleep(0)
                done = True
            raise

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert done


async def test_long_work_is_told_to_end_early() -> None:
    stopped = asyncio.Event()

    async def work() -> None:
        await stopped.wait()

    task = asyncio.create_task(finished(work(), stopped.set))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
