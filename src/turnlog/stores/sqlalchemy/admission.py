"""Admission: jobs get the connections of a pool of fixed size in the order in which they came.

SQLAlchemy's pool for asyncio gives a connection that comes back to whoever asks next, which mostly
is the task that gave it back; those that wait have to wait again, behind all others. With more
tasks than connections, one of them can wait until all others have ended, and loses its lease.

Pools with an overflow are left alone: those that take turns give back several connections at once,
and such a pool closes all but a few of them, to open others for those that come next.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from sqlalchemy import Pool, exc
from sqlalchemy.pool import AsyncAdaptedQueuePool

__all__ = ["admitted"]


@asynccontextmanager
async def admitted(pool: Pool) -> AsyncIterator[None]:
    """Within, `pool` has a connection for the running task, unless others use the pool too.

    Raises the `TimeoutError` of SQLAlchemy if there is none in the time that the pool allows.
    """
    if not isinstance(pool, AsyncAdaptedQueuePool) or (gate := _gate(pool)) is None:
        yield
        return
    await _enter(gate, pool)
    try:
        yield
    finally:
        gate.release()


async def _enter(gate: asyncio.Semaphore, pool: AsyncAdaptedQueuePool) -> None:
    try:
        async with asyncio.timeout(pool.timeout()):
            await gate.acquire()
    except TimeoutError:
        raise exc.TimeoutError(
            f"no connection of the pool became free in {pool.timeout():g} s: give it more with "
            "pool_size, or more time with pool_timeout",
            code="3o7r",
        ) from None


def _gate(pool: AsyncAdaptedQueuePool) -> asyncio.Semaphore | None:
    """Lets in as many tasks as `pool` has connections; None if their number is not fixed."""
    if pool._max_overflow or not pool.size():  # noqa: SLF001 - nothing else tells
        return None
    gates = _gates.setdefault(pool, WeakKeyDictionary())
    loop = asyncio.get_running_loop()
    if loop not in gates:
        gates[loop] = asyncio.Semaphore(pool.size())
    return gates[loop]


_gates: WeakKeyDictionary[
    AsyncAdaptedQueuePool, WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore]
] = WeakKeyDictionary()
