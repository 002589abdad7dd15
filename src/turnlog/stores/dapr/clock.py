"""The time, in whole microseconds."""

from __future__ import annotations

import os
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

    def unlock(self) -> None:
        """Have a lock that no thread of the parent holds, after a fork."""
        self._lock = Lock()


_clock = _Clock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_clock.unlock)

#: Microseconds since the epoch, UTC; never the same twice, for lists of sessions page by it.
now = _clock.now
