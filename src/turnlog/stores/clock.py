"""Clock: unique times in microseconds, times as text columns hold them, and the check of a ttl."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from functools import lru_cache
from threading import Lock
from typing import TypeAlias

from turnlog.items.given import given

__all__ = ["Stored", "as_text", "check_ttl", "micros", "now", "seconds"]

#: What a column of times may hold: drivers return a datetime, or text, or its bytes.
Stored: TypeAlias = datetime | str | bytes | None


class _Clock:
    def __init__(self) -> None:
        self._last = 0
        self._lock = Lock()

    def now(self) -> int:
        """Microseconds since the epoch, UTC. Within a process no time is returned twice.

        Lists of sessions need that: they are sorted and paged by time.
        """
        with self._lock:
            self._last = max(time.time_ns() // 1000, self._last + 1)
            return self._last

    def unlock(self) -> None:
        """Replace the lock in a forked child: a thread of the parent may have held it."""
        self._lock = Lock()


_clock = _Clock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_clock.unlock)

now = _clock.now


def micros(moment: float) -> int:
    """Seconds since the epoch as whole microseconds."""
    return round(moment * 1_000_000)


def as_text(microseconds: int) -> str:
    """Microseconds since the epoch as text in UTC, which sorts like the times."""
    whole, fraction = divmod(microseconds, 1_000_000)
    return f"{_whole(whole)}.{fraction:06d}"


@lru_cache(maxsize=16)
def _whole(moment: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment))


@lru_cache(maxsize=1024)  # records that were added together have the same time
def seconds(stored: Stored) -> float:
    """Seconds since the epoch of a stored time, in UTC unless it names a zone.

    0.0 for what is not a time.
    """
    try:
        if not isinstance(stored, datetime):
            text = stored.decode() if isinstance(stored, bytes) else stored or ""
            stored = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return (stored if stored.tzinfo else stored.replace(tzinfo=UTC)).timestamp()


def check_ttl(ttl: int | None, longest: int) -> int | None:
    """`ttl`, if it is None or a whole number of seconds from 1 to `longest`."""
    if ttl is None:
        return None
    if type(ttl) is not int:
        raise TypeError(f"ttl must be a whole number of seconds or None, not {given(ttl)}")
    if not 0 < ttl <= longest:
        raise ValueError(f"ttl is {ttl}; it must be between 1 and {longest} seconds")
    return ttl
