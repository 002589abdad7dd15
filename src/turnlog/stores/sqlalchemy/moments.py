"""Times as drivers hand them out: datetimes, in UTC if they don't say, or text."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TypeAlias

__all__ = ["Stored", "instant", "seconds"]

#: What a column of times holds.
Stored: TypeAlias = datetime | str | bytes | None


def seconds(stored: Stored) -> float:
    """The seconds since the epoch that `stored` means; 0.0 if it means no time."""
    try:
        if not isinstance(stored, datetime):
            text = stored.decode() if isinstance(stored, bytes) else stored or ""
            stored = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return (stored if stored.tzinfo else stored.replace(tzinfo=UTC)).timestamp()


def instant(moment: float) -> datetime:
    """The datetime in UTC, without a time zone, that columns hold."""
    return datetime.fromtimestamp(round(moment, 6), UTC).replace(tzinfo=None)
