"""Deletion of branches: the marks by which a deleted branch is known, and what they forbid.

A deleted branch leaves a mark, a log of its own with one record. Each write to a branch that is
not under a lease checks in the same commit that there is no mark. So no other session that still
stands on the branch brings it back, and its name is never used for another one. "main" can't be
deleted, and its writes check nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from turnlog.changes import Append, Change, Check, Committed, Forget, Key
from turnlog.conversation.retrying import commit_retried
from turnlog.errors import BranchDeleted, Conflict
from turnlog.items.json import encode
from turnlog.records import Log
from turnlog.store import Store

__all__ = [
    "branch_of",
    "check_conflict",
    "check_not_deleted",
    "commit_unless_deleted",
    "deletion",
    "is_mark",
    "mark_of",
    "unless_deleted",
]

_PURPOSE = "deleted"

#: What may lie beside a branch. All of it is deleted, also what another writer has just made.
_PURPOSES = ("ended", "lease", "queue", "runs", "summaries", "turns", "usage")


def unless_deleted(log: Log) -> list[Change]:
    """The condition under which a branch may be written to: nobody has deleted it."""
    return [] if log.name == "main" else [Check(mark_of(log).name, 0)]


async def commit_unless_deleted(
    store: Store,
    log: Log,
    changes: Sequence[Change],
    key: Key | None = None,
    *,
    retried: bool = False,
) -> Committed:
    """Make `changes` in one commit, unless the branch `log` was deleted.

    retried: as by `commit_retried`.

    Raises `BranchDeleted`; nothing is written then.
    """
    fence = unless_deleted(log)
    made = [*fence, *changes]
    try:
        if retried:
            done = await commit_retried(store, log.session, made, key)
        else:
            done = await store.commit(log.session, made, key=key)
    except Conflict as conflict:
        check_conflict(conflict, log)
        raise
    return done._replace(positions=done.positions[len(fence) :])


def check_conflict(conflict: Conflict, log: Log) -> None:
    """Raise `BranchDeleted` if `unless_deleted(log)` has caused `conflict`."""
    if conflict.log == mark_of(log):
        raise BranchDeleted(log) from None


async def check_not_deleted(store: Store, log: Log) -> None:
    """Raise `BranchDeleted` if the branch `log`, in which nothing was found, was deleted."""
    if log.name != "main" and await store.read(mark_of(log), limit=1):
        raise BranchDeleted(log)


def mark_of(log: Log) -> Log:
    """The log that holds a record once the branch `log` was deleted."""
    return log.beside(_PURPOSE)


def is_mark(log: Log) -> bool:
    """Whether `log` is the mark of a deleted branch."""
    return log.name.startswith(f":{_PURPOSE}@")


def branch_of(log: Log) -> str:
    """The name of the branch that `log` is, or lies beside."""
    if not log.name.startswith(":"):
        return log.name
    return log.name.partition("@")[2] or "main"


def deletion(log: Log, logs: Iterable[Log]) -> list[Change]:
    """The changes that delete the branch `log` and all that lies beside it, and leave the mark.

    logs: those of the session, or at least those of this branch.
    """
    found = {each for each in logs if branch_of(each) == log.name}
    doomed = {log, *map(log.beside, _PURPOSES), *found} - {mark_of(log)}
    mark = Append(mark_of(log).name, [encode({"at": time.time()})], expect=0)
    return [mark, *(Forget(each.name) for each in sorted(doomed))]
