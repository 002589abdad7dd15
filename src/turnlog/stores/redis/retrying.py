"""Trying again. Every call may be: reads change nothing, and writes carry a token."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from random import uniform
from traceback import walk_tb
from typing import TypeVar

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterError,
    ConnectionError,  # noqa: A004 - the driver's own
    MasterDownError,
    ReadOnlyError,
    SlotNotCoveredError,
    TimeoutError,  # noqa: A004 - the driver's own
    TryAgainError,
)

__all__ = ["drivers_slips", "patiently"]

T = TypeVar("T")

#: What passes: the server is out of reach, loading, or not the master (any more). On a Cluster
#: a slot is being moved, for which the driver has an error of its own when it gives up.
_PASSING = (
    ConnectionError,
    TimeoutError,
    BusyLoadingError,
    ClusterError,
    MasterDownError,
    ReadOnlyError,
    SlotNotCoveredError,
    TryAgainError,
    OSError,
)

#: Whose code it is that uses a connection.
_BELOW = ("redis.", "asyncio.")


@contextmanager
def drivers_slips() -> Iterator[None]:
    """Turn what the driver makes of a connection that is gone into a `ConnectionError`.

    When a connection was closed by another task or by the server, the driver and asyncio
    find None where it was, and raise `AttributeError` or `TypeError`; nothing was sent then.
    The same errors of any other origin are mistakes, and come out as they are.
    """
    try:
        yield
    except (AttributeError, TypeError) as error:
        if "NoneType" not in str(error) or not _innermost(error).startswith(_BELOW):
            raise
        raise ConnectionError(f"the connection was closed meanwhile: {error}") from error


def _innermost(error: BaseException) -> str:
    """The name of the module that raised `error`."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    name: str = frame.f_globals.get("__name__", "")
    return name


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
