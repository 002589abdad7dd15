"""The time, in whole microseconds."""

from __future__ import annotations

import time
from threading import Lock

__all__ = ["now"]


class _Clock:
    def __init__(self) -> None:
        self._last = 0
        self._lock = Lock()

    def now(self) -> int:
        with self._lock:
            self._last = max(time.time_ns() // 1000, self._last + 1)
            return self._last


#: Microseconds since the epoch, UTC; never the same twice, for lists of sessions page by it.
now = _Clock().now
