"""Planned failures: a layer that fails on purpose, to test the code that uses a store."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias, TypeVar

from turnlog.store import Call, Layer, Store

__all__ = ["Failing", "Failure", "Plan", "first_calls_of", "never"]

T = TypeVar("T")


class Failure(NamedTuple):
    """Failure of one call.

    happened: False if the call never reached the store; True if the store did the work and
        only its answer was lost.
    """

    error: Exception
    happened: bool = False


#: Called with the verb of each call; returns how this call fails, or None if it succeeds.
Plan: TypeAlias = Callable[[str], Failure | None]


def never(verb: str) -> None:
    """The plan in which no call fails."""


def first_calls_of(verb: str, *failures: Failure | None) -> Plan:
    """The plan in which the first calls of `verb` fail, one after the other, as given.

    None lets a call succeed. Calls after the last of `failures` succeed too.
    """
    coming = iter(failures)
    return lambda called: next(coming, None) if called == verb else None


class Failing(Layer):
    """Forwards every call, except those that `plan` makes fail. Assign a plan at any time."""

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
