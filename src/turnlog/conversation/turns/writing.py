"""Writing to a branch: through the turn of the running task, or in a commit of its own."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.changes import Change
from turnlog.conversation.deletion import commit_unless_deleted
from turnlog.conversation.turns.current import open_turn_on
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["write_to"]


async def write_to(
    store: Store, log: Log, changes: Sequence[Change], *, retried: bool = False
) -> int:
    """Make `changes`, the first of which is on the branch `log`, all of them or none.

    If the running task belongs to a turn on the branch, its lease is checked in the same commit.

    retried: as by `commit_retried`. Within a turn every write is.

    Returns where `log` ends then. Raises `BranchDeleted`, and `LeaseLost` within a turn; nothing
    is written then.
    """
    turn = open_turn_on(store, log)
    if turn is not None:
        return await turn.write(changes, store)
    done = await commit_unless_deleted(store, log, changes, retried=retried)
    return done.positions[0]
