"""Times as drivers hand them out: datetimes in UTC, or text where there is no such type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TypeAlias, overload

__all__ = ["Moments", "Stored", "instant", "seconds"]

#: What a column of times holds.
Stored: TypeAlias = datetime | str | bytes | None


class Moments(Sequence[float]):
    """Seconds since the epoch, worked out when asked for; few ever ask."""

    def __init__(self, stored: Sequence[Stored]) -> None:
        self._stored = stored

    def __len__(self) -> int:
        return len(self._stored)

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> Moments: ...
    def __getitem__(self, index: int | slice) -> float | Moments:
        if isinstance(index, slice):
            return Moments(self._stored[index])
        return seconds(self._stored[index])

    def __iter__(self) -> Iterator[float]:
        return map(seconds, self._stored)


def seconds(stored: Stored) -> float:
    """The seconds since the epoch that `stored` means; 0.0 if it means no time."""
    try:
        if not isinstance(stored, datetime):
            text = stored.decode() if isinstance(stored, bytes) else stored or ""
            stored = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return stored.replace(tzinfo=UTC).timestamp()


def instant(moment: float) -> datetime:
    """The datetime in UTC, without a time zone, that columns hold."""
    return datetime.fromtimestamp(round(moment, 6), UTC).replace(tzinfo=None)
