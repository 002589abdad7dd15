"""Trying again. Every call may be: reads change nothing, and writes carry a token."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from random import uniform
from typing import TypeVar

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,  # noqa: A004 - the driver's own
    MasterDownError,
    ReadOnlyError,
    TimeoutError,  # noqa: A004 - the driver's own
    TryAgainError,
)

__all__ = ["patiently"]

T = TypeVar("T")

#: What passes: the server is out of reach, loading, or not the master (any more).
_PASSING = (
    ConnectionError,
    TimeoutError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    ReadOnlyError,
    TryAgainError,
    OSError,
    # What the driver comes to when it writes to a connection that was closed meanwhile, by
    # another task or by the server. Nothing was sent then. The second is asyncio's own.
    AttributeError,
    TypeError,
)


async def patiently(call: Callable[[], Awaitable[T]], patience: float) -> T:
    """Do `call`, and again for `patience` seconds after errors that pass.

    Raises the last error as it is.
    """
    end = time.monotonic() + patience
    delay = 0.002
    while True:
        try:
            return await call()
        except AuthenticationError:
            raise
        except _PASSING:
            if time.monotonic() + delay > end:
                raise
        await asyncio.sleep(uniform(delay / 2, delay))  # noqa: S311 - so that no two keep step
        delay = min(delay * 2, 0.5)
