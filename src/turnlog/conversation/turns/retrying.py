"""Retries of a commit whose answer was lost: a key makes sure that it happens once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from turnlog.changes import Change, Committed, Key
from turnlog.errors import TurnlogError

__all__ = ["committed", "is_certain"]


class Commits(Protocol):
    """Makes changes in the logs of one session."""

    async def commit(self, changes: Sequence[Change], key: Key | None = None) -> Committed:
        """Make all changes, or none."""
        ...


async def committed(to: Commits, changes: Sequence[Change], key: Key) -> Committed:
    """Commit `changes`; once more if the store fails, because they may have been written.

    Raises the first error if the store fails again.
    """
    try:
        return await to.commit(changes, key)
    except Exception as error:
        if is_certain(error):
            raise
        return await _retried(to, changes, key, error)


def is_certain(error: Exception) -> bool:
    """Whether `error` shows that nothing was written, so that a retry would fail as well."""
    return isinstance(error, TurnlogError | TypeError | ValueError)


async def _retried(
    to: Commits, changes: Sequence[Change], key: Key, failed: Exception
) -> Committed:
    try:
        return await to.commit(changes, key)
    except Exception as error:
        if is_certain(error):
            raise
        raise failed from None
