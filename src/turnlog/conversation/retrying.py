"""Retries of a commit whose answer was lost: a key makes sure that it happens once."""

from __future__ import annotations

from collections.abc import Sequence
from secrets import token_hex

from turnlog.changes import Change, Committed, Key
from turnlog.errors import StoreUnreachable, TurnlogError
from turnlog.store import Store

__all__ = ["commit_retried", "is_certain"]


async def commit_retried(
    store: Store, session: str, changes: Sequence[Change], key: Key | None = None
) -> Committed:
    """Make `changes` in the logs of `session` once; try once more if the store fails.

    For changes that the caller can't try again himself, because he can't tell whether they were
    made: a fork whose name is used then, a rewind that would drop more turns.

    key: of the commit; one is drawn for None.

    Raises the first error if the store fails again.
    """
    key = key or Key(token_hex(12), brief=True)
    try:
        return await store.commit(session, changes, key=key)
    except Exception as error:
        if is_certain(error):
            raise
        failed = error
    try:
        return await store.commit(session, changes, key=key)
    except Exception as error:
        if is_certain(error):
            raise
        raise failed from None


def is_certain(error: Exception) -> bool:
    """Whether `error` shows that nothing was written, so that a retry would fail as well."""
    if isinstance(error, StoreUnreachable):
        return False
    return isinstance(error, TurnlogError | TypeError | ValueError)
