"""The current turn: which open turns the running task belongs to.

Tasks and threads that a run starts belong to its turn as well.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from turnlog.conversation.turns.open_turn import OpenTurn
from turnlog.loops.stacks import ContextStack
from turnlog.records import Log
from turnlog.store import Store

__all__ = [
    "branch_under_way",
    "innermost_turn",
    "inside",
    "is_within_a_turn",
    "joinable_turn_on",
    "open_turn_on",
]


def open_turn_on(store: Store, log: Log) -> OpenTurn | None:
    """The turn on `log` that the running task belongs to; None if there is none.

    Tasks and threads that a run starts belong to its turn, so its tools can read and write
    the session freely.
    """
    for turn in reversed(_turns.entries):
        if turn.is_open and turn.log == log and turn.store.identity == store.identity:
            return turn
    return None


def branch_under_way(store: Store, session: str) -> str | None:
    """The branch of the conversation `session` on which the running task has its innermost turn.

    None if it belongs to no turn there. A run may hold a turn on another branch than its session
    was given with.
    """
    for turn in reversed(_turns.entries):
        is_there = turn.log.session == session and turn.store.identity == store.identity
        if turn.is_open and is_there:
            return turn.log.name
    return None


def joinable_turn_on(store: Store, log: Log) -> OpenTurn | None:
    """The same as `open_turn_on`, but not a turn that is about to end."""
    turn = open_turn_on(store, log)
    return turn if turn is not None and turn.is_joinable else None


def innermost_turn() -> OpenTurn | None:
    """The turn that the running task has joined last; None if it belongs to none."""
    return next((turn for turn in reversed(_turns.entries) if turn.is_open), None)


def is_within_a_turn() -> bool:
    """Whether the running task belongs to any turn."""
    return innermost_turn() is not None


def inside(turn: OpenTurn) -> AbstractContextManager[None]:
    """Within, the running task and the tasks and threads that it starts belong to `turn`."""
    return _turns.inside(turn)


_turns: ContextStack[OpenTurn] = ContextStack("turnlog_open_turns")
