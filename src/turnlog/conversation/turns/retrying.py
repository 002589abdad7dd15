"""Retries of a commit whose answer was lost: a key makes sure that it happens once."""

from __future__ import annotations

from collections.abc import Sequence
from secrets import token_hex
from typing import NamedTuple, Protocol

from turnlog.changes import Change, Committed, Key
from turnlog.errors import StoreUnreachable, TurnlogError
from turnlog.store import Store

__all__ = ["commit_retried", "committed", "is_certain"]


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


async def commit_retried(store: Store, session: str, changes: Sequence[Change]) -> Committed:
    """Make `changes` in the logs of `session` once; try once more if the store fails.

    For changes that the caller can't try again himself, because he can't tell whether they were
    made: a fork whose name is used then, a rewind that would drop more turns.
    """
    return await committed(_Session(store, session), changes, Key(token_hex(12), brief=True))


class _Session(NamedTuple):
    """The logs of one session."""

    store: Store
    session: str

    async def commit(self, changes: Sequence[Change], key: Key | None = None) -> Committed:
        return await self.store.commit(self.session, changes, key=key)


def is_certain(error: Exception) -> bool:
    """Whether `error` shows that nothing was written, so that a retry would fail as well."""
    if isinstance(error, StoreUnreachable):
        return False
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
