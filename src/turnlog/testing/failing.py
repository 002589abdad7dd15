"""A layer that fails on purpose, to show that what stands on it survives."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias, TypeVar

from turnlog.store import Call, Layer, Store

__all__ = ["Failing", "Failure", "Plan", "first_calls_of", "never"]

T = TypeVar("T")


class Failure(NamedTuple):
    """How one call fails.

    happened: False when the store never heard of the call; True when it did what was
        asked and the answer was lost.
    """

    error: Exception
    happened: bool = False


#: Told the name of each verb as it is called, says how this call fails; None if it doesn't.
Plan: TypeAlias = Callable[[str], Failure | None]


def never(verb: str) -> None:
    """The plan by which nothing fails."""


def first_calls_of(verb: str, *failures: Failure | None) -> Plan:
    """The plan by which the first calls of `verb` fail like this, one after the other.

    None lets a call through. Whatever comes after the last goes through too.
    """
    coming = iter(failures)
    return lambda called: next(coming, None) if called == verb else None


class Failing(Layer):
    """Forwards every call, except that some fail as `plan` says. Assign a plan at any time."""

    def __init__(self, inner: Store, plan: Plan = never) -> None:
        super().__init__(inner)
        self.plan = plan

    async def around(self, call: Call[T]) -> T:
        failure = self.plan(call.verb)
        if failure is None:
            return await call()
        if failure.happened:
            await call()
        raise failure.error
