"""The layout: which tables a database has, and what is particular to them."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Layout"]


@dataclass(frozen=True)
class Layout:
    """What was found in the database for one pair of tables."""

    #: The version of our schema; 0 if our tables are not there yet.
    version: int = 0
    #: Which of the two shared tables are not there.
    missing: tuple[str, ...] = ()
    #: Columns of times in the shared tables that know a time zone, such as "sessions.created_at".
    zoned: frozenset[str] = frozenset()
    #: How many bytes the server takes in one statement; None if that is not known.
    packet: int | None = None

    @property
    def is_readable(self) -> bool:
        """Whether the shared tables are there."""
        return not self.missing
