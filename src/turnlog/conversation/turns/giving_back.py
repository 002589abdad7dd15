"""Giving back a lease: retried until it works, in the background if that takes long."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from turnlog.errors import StoreUnreachable, TurnlogError
from turnlog.records import Log

__all__ = ["given_back", "warn"]

# While giving back a lease is retried, the caller of the run waits for so many seconds; later
# retries are made in the background.
_CALLER_WAITS = 1.0

# The seconds between two of these retries: at first, and at most.
_FIRST_DELAY, _LAST_DELAY = 0.02, 1.0

_logger = logging.getLogger(__name__)

#: Tasks that give back leases of runs that have ended. An event loop holds its tasks weakly.
_tasks: set[asyncio.Task[None]] = set()


async def given_back(withdraw: Callable[[], Awaitable[None]], log: Log, seconds: float) -> None:
    """Call `withdraw`, which frees the lease on `log`, and retry it if the store fails.

    seconds: after which other runs take the lease, so that no retry is needed.

    No error is raised: the caller is to get the run's own outcome. They are logged.
    """
    try:
        await withdraw()
    except Exception as error:  # noqa: BLE001 - see the docstring
        if _is_final(error):
            warn(log, "was not given back; it expires by itself", error)
            return
        warn(log, "was not given back yet", error)
        task = asyncio.ensure_future(_retried(withdraw, time.monotonic() + seconds))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
        await asyncio.wait([task], timeout=_CALLER_WAITS)


def warn(log: Log, what: str, error: Exception) -> None:
    """Log what happened to the lease on `log`, with the kind of the error only."""
    _logger.warning("the lease on %r %s: %s", log, what, type(error).__name__)


def _is_final(error: Exception) -> bool:
    """Whether no retry helps, as with a store that is closed: the lease expires by itself."""
    return isinstance(error, TurnlogError) and not isinstance(error, StoreUnreachable)


async def _retried(withdraw: Callable[[], Awaitable[None]], end: float) -> None:
    delay = _FIRST_DELAY
    while time.monotonic() < end:
        try:
            await withdraw()
        except Exception as error:  # noqa: BLE001 - logged when it failed first; retried
            if _is_final(error):
                return
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LAST_DELAY)
        else:
            return
