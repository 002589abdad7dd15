"""Branches: a fork is a new branch that begins as a copy of another one.

A copy, not a reference: so popping, clearing and deleting any branch stay allowed. The copied
payloads are never decoded.
"""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, NamedTuple, TypeAlias, TypeVar
from uuid import uuid4

from turnlog.changes import Annotate, Append, Change
from turnlog.conversation.branches.registry import Registry, registered, registry_of
from turnlog.conversation.deletion import commit_unless_deleted, mark_of, unless_deleted
from turnlog.conversation.opened import check_opened
from turnlog.conversation.protocol import OnBranch
from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.reading.turn_index import lay_behind_copy
from turnlog.conversation.summaries.copies import copied
from turnlog.conversation.summaries.copies import pinned as summaries_pinned
from turnlog.conversation.summaries.reading import all_summaries
from turnlog.conversation.turns.endings import Endings, mark_first, pinned
from turnlog.conversation.usage.copied import copied_usage
from turnlog.errors import BranchNameUsed, Conflict
from turnlog.records import Log, Records

__all__ = ["Branch", "Fork", "check_name", "forked", "planned_fork"]


class Branch(NamedTuple):
    """One branch of a conversation.

    parent: the branch it was forked from; None for "main", and for a branch that nobody forked.
    parted_at: the position in the parent up to which it is a copy; 0 if nothing was copied.
    created_at: in seconds since the epoch; 0.0 for "main" while nothing is stored.
    """

    name: str
    parent: str | None
    parted_at: int
    turns: int
    items: int
    created_at: float
    is_current: bool


S = TypeVar("S", bound=OnBranch)


class Fork(NamedTuple, Generic[S]):
    """A fork that is yet to be made."""

    #: On the new branch.
    session: S
    log: Log
    #: The position of the last record that is copied; 0 if none is.
    until: int
    #: How many further records it gets.
    added: int
    #: What makes the branch, in one commit.
    changes: list[Change]


#: Commits the changes that make a fork, together with others.
Make: TypeAlias = Callable[[list[Change]], Awaitable[object]]


async def forked(
    session: S,
    name: str | None = None,
    at: int | None = None,
    *,
    added: Sequence[bytes] = (),
    make: Make | None = None,
) -> S:
    """A session of the same kind on a new branch, with a copy of the records of `session`.

    name: of the new branch; one that nobody has used is made up for None.
    at: the position of the last record that is copied; None copies all, 0 none.
    added: further records of the new branch.
    make: commits the changes, together with others; a commit of their own for None.

    The branch is there whole or not at all; its records keep their times. Raises
    `BranchNameUsed`, `BranchDeleted` if the branch of `session` was deleted, and `ValueError` if
    a branch can't have that name.
    """
    if name is None:
        planned = await planned_fork(session, None, at, added=added)
        await _made(session, planned, planned.changes, make)
        return planned.session
    check_name(name)
    while (made := await _under_name(session, name, at, added, make)) is None:
        pass  # another fork was made meanwhile: look at the names again
    return made


async def _made(
    session: OnBranch, planned: Fork[S], changes: list[Change], make: Make | None
) -> None:
    """Make the fork of `session` that is planned, and what saves its readers time."""
    if make is not None:
        await make(changes)
        await _pinned(session, planned, changes)
        return
    source = Log(session.session_id, session.branch)
    done = await commit_unless_deleted(session.store, source, changes, retried=True)
    _, end, *_ = done.positions
    reader = LogReader(session.store, source)
    await lay_behind_copy(reader, planned.until, planned.log, end, added=planned.added)
    await _pinned(session, planned, changes)


async def _pinned(session: OnBranch, planned: Fork[S], changes: list[Change]) -> None:
    """Write positions into what the fork has copied without them."""
    await pinned(session.store, planned.log, changes)
    await summaries_pinned(session.store, planned.log, changes)


async def planned_fork(
    session: S,
    name: str | None = None,
    at: int | None = None,
    *,
    added: Sequence[bytes] = (),
    expect: int | None = None,
) -> Fork[S]:
    """Read what `forked` copies, and make nothing yet.

    Raises `Unreadable` if a record among it could not be opened by a layer.

    expect: where the registry has to end; None for a name that nobody else can choose.
    """
    source = Log(session.session_id, session.branch)
    target = Log(session.session_id, f"fork-{uuid4().hex[:12]}" if name is None else name)
    records = await session.store.read(source, before=None if at is None else at + 1)
    # A copy of what could not be opened would look like a record of this session's.
    check_opened(source, records)
    summaries = await all_summaries(session.store, source)
    until = records.positions[-1] if records else 0
    changes = [
        registered(source, target, until, expect),
        *_copied(target, records, added),
        *await _ending(session, target, records),
        *await copied_usage(session.store, source, target, records),
        *copied(summaries.found, target, records),
    ]
    on_target = copy.copy(session)
    on_target.branch = target.name
    return Fork(on_target, target, until, len(added), changes)


def check_name(name: object) -> None:
    """Raise `ValueError` or `TypeError` if a branch can't be named `name`."""
    if not isinstance(name, str):
        raise TypeError(f"a branch is named by a str, not {type(name).__name__}")
    if not name.strip():
        raise ValueError("Branch name cannot be empty: give it one, or None to get a new one")
    if name.startswith(":"):
        raise ValueError(f"a branch can't be named {name!r}: names with ':' in front are reserved")


async def _under_name(
    session: S,
    name: str,
    at: int | None,
    added: Sequence[bytes],
    make: Make | None,
) -> S | None:
    """Fork under a chosen name; None if another fork was made since the names were read."""
    target = Log(session.session_id, name)
    registry = await Registry.read(session.store, session.session_id)
    registry.check_free(target)
    planned = await planned_fork(session, name, at, added=added, expect=registry.end)
    try:
        await _made(session, planned, [*planned.changes, *unless_deleted(target)], make)
    except Conflict as conflict:
        if conflict.log == registry_of(session.session_id):
            return None
        if conflict.log in (target, mark_of(target)):
            raise BranchNameUsed(target) from None
        raise
    return planned.session


def _copied(target: Log, records: Records, added: Sequence[bytes]) -> list[Change]:
    """Puts `records` and what is added into the new branch, which exists even if it is empty."""
    payloads = [*records.payloads, *added]
    times = [*records.times, *[None for _ in added]]
    return [Append(target.name, payloads, expect=0, times=times), Annotate(target.name, b"")]


async def _ending(session: OnBranch, target: Log, copied: Records) -> list[Change]:
    """Marks those turns as over in `target` that are marked in the branch they come from."""
    source = Log(session.session_id, session.branch)
    over = bisect_right(copied.positions, await Endings(session.store, source).newest())
    return [mark_first(target, over, copied.times[:over])] if over else []
