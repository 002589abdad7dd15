"""Taking the lease of a turn by its policy: after other runs, or on a copy of the conversation."""

from __future__ import annotations

from bisect import bisect_right
from typing import Protocol, Self, TypeVar
from uuid import uuid4

from turnlog.changes import Change
from turnlog.conversation.deletion import check_conflict, unless_deleted
from turnlog.conversation.opened import items_of
from turnlog.conversation.protocol import OnBranch
from turnlog.conversation.summaries.copies import pinned as summaries_pinned
from turnlog.conversation.turns.endings import Endings, pinned
from turnlog.conversation.turns.open_turn import OpenTurn
from turnlog.conversation.turns.policy import Policy
from turnlog.conversation.turns.reporting import Wait
from turnlog.conversation.usage.question import newest_question
from turnlog.errors import Conflict, SessionBusy
from turnlog.items.turns import settled
from turnlog.loops.finishing import finished
from turnlog.records import Log

__all__ = ["Forkable", "taken"]


class Forkable(OnBranch, Protocol):
    """A session on one branch, of which there can be a copy."""

    async def _plan_fork(self, name: str, at: int) -> tuple[Self, list[Change]]:
        """A session on a new branch, and the changes that make it: a copy up to `at`."""
        ...


S = TypeVar("S", bound=Forkable)


async def taken(session: S, turn: OpenTurn, policy: Policy, wait: Wait) -> tuple[S, OpenTurn]:
    """Take the lease of `turn`; returns the session and the turn to go on with.

    If another run holds it: with "queue" it waits, with "branch" both are on a new branch, which
    holds all turns but the one under way, and "reject" raises `SessionBusy`.
    """
    try:
        await turn.take(wait)
    except SessionBusy:
        if policy != "branch":
            raise
        return await _taken_on_fork(session, turn.lease.seconds)
    return session, turn


async def _taken_on_fork(session: S, seconds: float) -> tuple[S, OpenTurn]:
    """A session on a new branch, and its turn, whose lease lasts for so many seconds."""
    at = await _last_settled(session)
    name, source = f"run-{uuid4().hex[:12]}", Log(session.session_id, session.branch)
    fork, changes = await session._plan_fork(name, at)  # noqa: SLF001 - not for users
    log = Log(fork.session_id, name)
    turn = OpenTurn(fork.store, log, seconds=seconds)
    try:
        await turn.lease.take(*changes, *unless_deleted(source))
    except Conflict as conflict:
        check_conflict(conflict, source)  # the copy may be empty then
        raise
    try:
        await pinned(fork.store, log, changes)
        await summaries_pinned(fork.store, log, changes)
    except BaseException:
        await finished(turn.give_back())
        raise
    return fork, turn


async def _last_settled(session: OnBranch) -> int:
    """The position of the last record that belongs to a turn which is over."""
    log = Log(session.session_id, session.branch)
    question = await newest_question(session.store, log)
    records = await session.store.read(log, after=max(0, question - 1))
    items = items_of(log, records)
    ended = await Endings(session.store, log).newest()
    kept = settled(items, bisect_right(records.positions, ended))
    if kept < len(records):
        return records.positions[kept] - 1
    return records.positions[-1] if records else 0
