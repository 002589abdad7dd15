"""Layout: which tables a database has, and their particular columns and limits."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Layout"]


@dataclass(frozen=True)
class Layout:
    """The tables and limits found in a database, for one pair of shared tables."""

    #: The version of our schema; 0 if our tables are not there yet.
    version: int = 0
    #: Which of the two shared tables are not there.
    missing: tuple[str, ...] = ()
    #: Whether the schema is the newest, so that it can be written to.
    is_current: bool = False
    #: Columns of times in the shared tables with a time zone, such as "sessions.created_at".
    zoned: frozenset[str] = frozenset()
    #: Whether the times of sessions may be null, and there is no index that finds them then.
    has_null_times: bool = False
    #: How many bytes the server takes in one statement; None if unknown.
    packet: int | None = None

    @property
    def is_readable(self) -> bool:
        """Whether the shared tables are there."""
        return not self.missing
