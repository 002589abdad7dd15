"""Retries of requests: growing waits, as long as the server asks, within a patience."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from random import uniform

from turnlog.sessions.conversations.client import retry_after
from turnlog.stores.retrying import backoff

__all__ = ["PATIENCE", "Waits"]

#: For how many seconds a request is tried again.
PATIENCE = 30.0

_FIRST, _LONGEST = 0.25, 8.0


class Waits:
    """The waits between the tries of one request.

    patience: seconds after which no further try begins.
    """

    def __init__(self, patience: float) -> None:
        self._delays: Iterator[float] = backoff(_FIRST, _LONGEST, patience)
        #: Set when the caller was cancelled: no further try begins then.
        self.stop = asyncio.Event()

    async def again(self, error: Exception) -> bool:
        """Wait before the next try; False if there is none."""
        delay = next(self._delays, None)
        if delay is None or self.stop.is_set():
            return False
        # Varied, so that clients which failed together don't come back together.
        delay = max(uniform(delay / 2, delay * 1.5), retry_after(error))  # noqa: S311 - no secret
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), delay)
        return not self.stop.is_set()
