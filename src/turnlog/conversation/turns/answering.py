"""Answering: storing what ends a turn, and giving the lease back in the same commit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from turnlog.conversation.protocol import OnBranch, Writable
from turnlog.conversation.turns.current import innermost_turn
from turnlog.conversation.turns.endings import Endings
from turnlog.conversation.turns.next_write import in_next_write
from turnlog.conversation.turns.open_turn import OpenTurn
from turnlog.conversation.usage.metering import current_meter
from turnlog.conversation.usage.question import Question
from turnlog.conversation.usage.recording import PendingUsage, recorded
from turnlog.conversation.usage.spending import Spending
from turnlog.items.json import Item
from turnlog.loops.finishing import finished
from turnlog.records import Log

__all__ = ["accounted", "accounted_in_turn", "answered"]


async def answered(
    session: Writable,
    turn: OpenTurn | None,
    output: list[Item],
    *,
    is_over: bool,
    pending: PendingUsage | None = None,
) -> None:
    """Store `output`, the last that `turn` stores.

    is_over: whether the turn is marked as over, because its items don't show it.
    pending: usage to record in the same commit.
    """
    if turn is not None and pending is not None:
        turn.add_usage(pending)
    if turn is None:
        await _answered_freely(session, output, is_over, pending)
    elif turn.runs > 1 or session.add_items_is_overridden():
        await _answered_in_part(session, turn, output, is_over)
    else:
        with turn.last_write(is_over=is_over):
            await (session.add_items(output) if output else turn.finish())


async def _answered_in_part(
    session: Writable, turn: OpenTurn, output: list[Item], is_over: bool
) -> None:
    """The lease is given back later: by the last run of the turn, or behind the override."""
    turn.next_key = turn.answer_key
    if output:
        await session.add_items(output)
    if is_over:
        await turn.mark_over()


async def _answered_freely(
    session: Writable, output: list[Item], is_over: bool, pending: PendingUsage | None
) -> None:
    """Nobody holds the lease."""
    log = Log(session.session_id, session.branch)
    if output:
        await _added_freely(session, log, output, pending)
    if is_over:
        await Endings(session.store, log).mark_all()


async def _added_freely(
    session: Writable, log: Log, output: list[Item], pending: PendingUsage | None
) -> None:
    change = None if pending is None else await pending.change()
    if pending is None or change is None:
        await session.add_items(output)
        return
    with in_next_write(session.store, log, [change]) as extra:
        await session.add_items(output)
    if not extra.changes:
        pending.mark_recorded()


@asynccontextmanager
async def accounted(
    session: OnBranch, turn: OpenTurn | None, question: Question | None, spending: Spending
) -> AsyncIterator[PendingUsage | None]:
    """A block in which a run spends. Its end, also by an error, sees to the record of that.

    question: where the question of the run is stored; None if there is nothing to record.
    """
    if question is None:
        yield None
        return
    log = Log(session.session_id, session.branch)
    pending = PendingUsage(session.store, log, question, spending)
    try:
        yield pending
    finally:
        if turn is not None:
            turn.add_usage(pending)
        elif pending.is_open:
            await finished(recorded(pending))


@asynccontextmanager
async def accounted_in_turn(spending: Spending) -> AsyncIterator[None]:
    """A block in which a run without a session spends, for the turn of the running task.

    Such a run is an agent that is used as a tool. Outside of a turn, nothing is recorded. Within
    a block that meters what is spent, it counts there instead.
    """
    turn, meter = innermost_turn(), current_meter()
    try:
        yield
    finally:
        if meter is not None:
            meter.spent.append(spending)
        elif turn is not None:
            question = turn.question or Question(None, is_exact=False)
            turn.add_usage(PendingUsage(turn.store, turn.log, question, spending))
