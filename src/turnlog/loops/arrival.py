"""Queues of tasks: the tasks of one event loop, one at a time and in the order in which they came.

They order tasks and save retries, no more. Other threads and processes are kept apart by what
the store promises.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TypeAlias
from weakref import WeakKeyDictionary

__all__ = ["in_order_of_arrival"]

_Queue: TypeAlias = deque[asyncio.Future[None]]


@asynccontextmanager
async def in_order_of_arrival(
    key: Hashable, waiting: Callable[[], AbstractAsyncContextManager[None]] = nullcontext
) -> AsyncIterator[None]:
    """Within, the running task is the only one of its event loop that is here with this `key`.

    Tasks come in one after the other, first come first served; one that is cancelled while
    it waits leaves the queue. The queues of different keys are independent. A task that asks
    for a key again while it holds it waits for ever.

    waiting: a block in which the task waits, if it has to; it may bound that.
    """
    queues = _queues.setdefault(asyncio.get_running_loop(), {})
    queue = queues.setdefault(key, deque())
    admitted = asyncio.get_running_loop().create_future()
    queue.append(admitted)
    try:
        if queue[0] is not admitted:
            async with waiting():
                await admitted
        yield
    finally:
        queue.remove(admitted)
        if queue:
            _admit(queue[0])
        elif queues.get(key) is queue:
            del queues[key]


def _admit(first: asyncio.Future[None]) -> None:
    if not first.done():
        first.set_result(None)


_queues: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, _Queue]] = WeakKeyDictionary()
