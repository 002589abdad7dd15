"""Finishing work: waiting for an outcome, also when cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

__all__ = ["finished", "is_cancelled"]


T = TypeVar("T")


async def finished(work: Awaitable[T]) -> T:
    """Wait for `work` to its end; whoever was cancelled meanwhile is cancelled then.

    So the outcome of a write is known before its caller goes on. An error of `work` is
    the `CancelledError`'s cause.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = cancelled or error  # anyio knows its own by what they say
    if cancelled is not None:
        raise cancelled from None if task.cancelled() else task.exception()
    return task.result()


def is_cancelled() -> bool:
    """Whether the running task itself was cancelled, and not only what it waits for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
