"""Answering: storing what ends a turn, and giving the lease back in the same commit."""

from __future__ import annotations

from typing import Protocol

from turnlog.conversation.branches import OnBranch
from turnlog.conversation.turns.endings import Endings
from turnlog.conversation.turns.holding import OpenTurn
from turnlog.items.json import Item, TResponseInputItem
from turnlog.records import Log

__all__ = ["Answered", "answered"]


class Answered(OnBranch, Protocol):
    """A session on one branch, to which a run adds its answer."""

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Append `items`."""
        ...

    def add_items_is_overridden(self) -> bool:
        """Whether `add_items` may do anything else than one append."""
        ...


async def answered(
    session: Answered, turn: OpenTurn | None, output: list[Item], *, is_over: bool
) -> None:
    """Store `output`, the last that `turn` stores.

    is_over: whether the turn is marked as over, because its items don't show it.
    """
    if turn is None:
        await _answered_freely(session, output, is_over)
    elif turn.runs > 1 or session.add_items_is_overridden():
        await _answered_in_part(session, turn, output, is_over)
    else:
        with turn.last_write(is_over=is_over):
            await (session.add_items(output) if output else turn.finish())


async def _answered_in_part(
    session: Answered, turn: OpenTurn, output: list[Item], is_over: bool
) -> None:
    """The lease is given back later: by the last run of the turn, or behind the override."""
    turn.next_key = turn.answer_key
    if output:
        await session.add_items(output)
    if is_over:
        await turn.mark_over()


async def _answered_freely(session: Answered, output: list[Item], is_over: bool) -> None:
    """Nobody holds the lease."""
    if output:
        await session.add_items(output)
    if is_over:
        log = Log(session.session_id, session.branch)
        await Endings(session.store, log).mark_all()
