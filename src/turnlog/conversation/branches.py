"""Branches: a fork is a new branch that begins as a copy of another one.

A copy, not a reference: so popping, clearing and deleting any branch stay allowed.
"""

from __future__ import annotations

import copy
from bisect import bisect_right
from typing import Generic, NamedTuple, Protocol, TypeVar
from uuid import uuid4

from turnlog.changes import Annotate, Append, Change, Check
from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.reading.turn_index import lay_behind_copy
from turnlog.conversation.turns.endings import Endings, mark_first
from turnlog.items.json import encode
from turnlog.records import Log, Records
from turnlog.store import Store

__all__ = ["Branch", "Fork", "OnBranch", "fork", "planned_fork", "unless_deleted"]


class Branch(NamedTuple):
    """One branch of a conversation.

    parent: the branch it was forked from; None for "main".
    parted_at: the position in the parent up to which it is a copy.
    """

    name: str
    parent: str | None
    parted_at: int
    turns: int
    items: int
    created_at: float
    is_current: bool


class OnBranch(Protocol):
    """A session on one branch of a stored conversation; `StoredSession` is one."""

    session_id: str
    branch: str
    store: Store
    closed: bool


S = TypeVar("S", bound=OnBranch)


class Fork(NamedTuple, Generic[S]):
    """A fork that is yet to be made."""

    #: On the new branch.
    session: S
    log: Log
    #: The position of the last record that is copied; 0 if none is.
    until: int
    #: What makes the branch, in one commit.
    changes: list[Change]


async def fork(session: S, name: str | None = None, at: int | None = None) -> S:
    """A session of the same kind on a new branch, with a copy of the records of `session`.

    name: of the new branch; one that nobody has used is made up for None.
    at: the position of the last record that is copied; None copies all, 0 none.

    The branch is there whole or not at all; its records keep their times. Raises `Conflict` if
    the branch `name` holds records already, `ValueError` if a branch can't have that name.
    """
    planned = await planned_fork(session, name, at)
    done = await session.store.commit(session.session_id, planned.changes)
    source = LogReader(session.store, Log(session.session_id, session.branch))
    await lay_behind_copy(source, planned.until, planned.log, done.positions[0])
    return planned.session


async def planned_fork(session: S, name: str | None = None, at: int | None = None) -> Fork[S]:
    """Read what `fork` copies, and make nothing yet."""
    name = f"fork-{uuid4().hex[:12]}" if name is None else name
    if not name or name.startswith(":"):
        raise ValueError(f"a branch can't be named {name!r}: a name has text and no ':' in front")
    source, target = Log(session.session_id, session.branch), Log(session.session_id, name)
    records = await session.store.read(source, before=None if at is None else at + 1)
    changes = [*_copied(source, target, records), *await _ending(session, target, records)]
    forked = copy.copy(session)
    forked.branch = name
    return Fork(forked, target, records.positions[-1] if records else 0, changes)


def _copied(source: Log, target: Log, records: Records) -> list[Change]:
    """Puts `records` of `source` into the new branch `target`, with a note of their origin."""
    origin = {"branch": source.name, "position": records.positions[-1] if records else 0}
    return [
        Append(target.name, records.payloads, expect=0, times=list(records.times)),
        Annotate(target.name, encode({"forked_from": origin})),
    ]


async def _ending(session: OnBranch, target: Log, copied: Records) -> list[Change]:
    """Marks those turns as over in `target` that are marked in the branch they come from."""
    source = Log(session.session_id, session.branch)
    over = bisect_right(copied.positions, await Endings(session.store, source).newest())
    return [mark_first(target, over)] if over else []


def unless_deleted(log: Log) -> list[Change]:
    """The condition under which a branch may be written to: nobody has deleted it."""
    return [] if log.name == "main" else [Check(log.beside("deleted").name, 0)]
