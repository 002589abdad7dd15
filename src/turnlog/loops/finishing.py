"""Finishing work that was begun, also when the caller is cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

__all__ = ["finished", "heeded_cancellation", "is_cancelled"]

T = TypeVar("T")


async def finished(work: Awaitable[T], stop: Callable[[], object] | None = None) -> T:
    """Wait until `work` has ended, and raise `CancelledError` only then if cancelled.

    So the outcome of a write is known before its caller continues. If `work` failed, its
    error is the cause of the `CancelledError`.

    stop: called when the caller is cancelled, so that long work can end early.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = cancelled or error  # anyio recognises its own by their text
            if stop is not None:
                stop()
    if cancelled is not None:
        raise cancelled from None if task.cancelled() else task.exception()
    return task.result()


@contextmanager
def heeded_cancellation() -> Iterator[None]:
    """Raise `CancelledError` if the task is cancelled within the block and the block ends anyway.

    `asyncio.wait_for` of Python 3.11 loses a cancellation that comes in the moment in which its
    work ends, and drivers use it.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    yield
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError


def is_cancelled() -> bool:
    """Whether the running task itself was cancelled, and not only what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
