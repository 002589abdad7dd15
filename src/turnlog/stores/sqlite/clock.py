"""Times as they stand in the tables: text in UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from functools import lru_cache

__all__ = ["Clock", "seconds", "stamp"]


class Clock:
    """Hands out the time, and never the same time twice: lists of sessions page by it."""

    def __init__(self) -> None:
        self._last = 0

    def tick(self) -> str:
        self._last = max(time.time_ns() // 1000, self._last + 1)
        return _text(self._last)


def stamp(moment: float) -> str:
    """Seconds since the epoch as text with microseconds."""
    return _text(round(moment * 1_000_000))


def seconds(text: bytes | None) -> float:
    """The seconds since the epoch that `text` means; 0.0 if it means no time."""
    try:
        return datetime.fromisoformat((text or b"").decode()).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def _text(micros: int) -> str:
    whole, fraction = divmod(micros, 1_000_000)
    return f"{_whole(whole)}.{fraction:06d}"


@lru_cache(maxsize=16)
def _whole(moment: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(moment))
