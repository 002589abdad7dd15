"""Errors of runs: leases, turns, and answers of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from turnlog.errors.root import TurnlogError

if TYPE_CHECKING:
    from turnlog.records import Log

__all__ = [
    "LeaseLost",
    "MaxTurnsExceeded",
    "ModelBehaviorError",
    "SessionBusy",
    "SessionWaitTimeout",
    "TurnEnded",
]


class LeaseLost(TurnlogError, RuntimeError):
    """The run had lost its lease on the session when it wanted to write. Nothing was written.

    The lease was not renewed in time and another run took over, or the session was cleared or
    its branch was deleted.
    """

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.log = log

    def __str__(self) -> str:
        return (
            f"this run lost its lease on log {self.log.name!r} of session {self.log.session!r}: "
            "it was not renewed in time and another run took over, or the session was cleared or "
            "the branch deleted. Nothing was written; start the run again"
        )


class TurnEnded(LeaseLost):
    """The turn was used after its end. Nothing was written.

    answered: its run key was answered by an earlier start, so there was nothing to do in it.
    """

    def __init__(self, log: Log, *, answered: bool = False) -> None:
        super().__init__(log)
        self.answered = answered

    def __reduce__(self) -> tuple[Any, ...]:
        return _turn_ended, (self.log, self.answered)

    def __str__(self) -> str:
        turn = f"the turn on log {self.log.name!r} of session {self.log.session!r}"
        if self.answered:
            return (
                f"{turn} was answered by an earlier start with the same key, so nothing was "
                f"written: use `turn.answer`, and call the model only where that is None"
            )
        return (
            f"{turn} has ended with its block, so nothing was written: call it inside of "
            f"`async with session.turn(…)`, or use session.add_items(…)"
        )


def _turn_ended(log: Log, answered: bool) -> TurnEnded:
    return TurnEnded(log, answered=answered)


class SessionBusy(TurnlogError, RuntimeError):
    """Another run is in progress on the session, and the policy is not to wait for it."""

    def __init__(self, log: Log) -> None:
        super().__init__(log)
        self.log = log

    def __str__(self) -> str:
        return (
            f"another run is in progress on log {self.log.name!r} of session {self.log.session!r}: "
            'try again when it has ended, or use the policy "queue", which waits'
        )


class SessionWaitTimeout(SessionBusy, TimeoutError):
    """The run has waited for another one on the session for as long as it may. It wrote nothing.

    reason: for how long it has waited, and for what.
    """

    def __init__(self, log: Log, reason: str) -> None:
        super().__init__(log)
        self.args = (log, reason)
        self.reason = reason

    def __str__(self) -> str:
        return (
            f"the run on log {self.log.name!r} of session {self.log.session!r} {self.reason}: "
            "try again later, or raise busy_timeout"
        )


class MaxTurnsExceeded(TurnlogError, RuntimeError):
    """The model was called as often as allowed, without an answer. Its tool calls are stored."""

    def __init__(self, max_turns: int) -> None:
        super().__init__(max_turns)
        self.max_turns = max_turns

    def __str__(self) -> str:
        return f"the model was called {self.max_turns} times without an answer: raise max_turns"


class ModelBehaviorError(TurnlogError, ValueError):
    """The answer of a model can't be used: it broke off, failed, or has the wrong form."""
