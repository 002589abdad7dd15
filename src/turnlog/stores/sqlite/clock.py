"""Times as they stand in the tables: text in UTC."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import overload

__all__ = ["Clock", "Moments", "seconds", "stamp"]


class Clock:
    """Hands out the time, and never the same time twice: lists of sessions page by it."""

    def __init__(self) -> None:
        self._last = 0

    def tick(self) -> str:
        self._last = max(time.time_ns() // 1000, self._last + 1)
        return _text(self._last)


class Moments(Sequence[float]):
    """Seconds since the epoch, read out of their texts when asked for; few ever ask."""

    def __init__(self, texts: Sequence[bytes | None]) -> None:
        self._texts = texts

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> Moments: ...
    def __getitem__(self, index: int | slice) -> float | Moments:
        if isinstance(index, slice):
            return Moments(self._texts[index])
        return seconds(self._texts[index])

    def __iter__(self) -> Iterator[float]:
        return map(seconds, self._texts)


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
