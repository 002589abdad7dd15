"""A layer that fails on purpose, to show that what stands on it survives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, TypeAlias, TypeVar

from turnlog.store import Cursor, Head, Layer, Log, Records, Store

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

    async def append(
        self,
        log: Log,
        payloads: Sequence[bytes],
        *,
        expect: int | None = None,
        key: str | None = None,
    ) -> int:
        call = super().append
        return await self._try("append", lambda: call(log, payloads, expect=expect, key=key))

    async def read(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        limit: int | None = None,
    ) -> Records:
        call = super().read
        return await self._try("read", lambda: call(log, after=after, before=before, limit=limit))

    async def remove(
        self,
        log: Log,
        *,
        after: int = 0,
        before: int | None = None,
        expect: int | None = None,
    ) -> int:
        call = super().remove
        return await self._try(
            "remove", lambda: call(log, after=after, before=before, expect=expect)
        )

    async def annotate(self, log: Log, note: bytes) -> None:
        call = super().annotate
        await self._try("annotate", lambda: call(log, note))

    async def logs(self, session: str) -> list[Head]:
        call = super().logs
        return await self._try("logs", lambda: call(session))

    async def sessions(
        self, *, prefix: str = "", after: Cursor | None = None, limit: int = 50
    ) -> list[Head]:
        call = super().sessions
        return await self._try("sessions", lambda: call(prefix=prefix, after=after, limit=limit))

    async def delete(self, session: str, name: str | None = None) -> None:
        call = super().delete
        await self._try("delete", lambda: call(session, name))

    async def aclose(self) -> None:
        await self._try("aclose", super().aclose)

    async def _try(self, verb: str, call: Callable[[], Awaitable[T]]) -> T:
        failure = self.plan(verb)
        if failure is None:
            return await call()
        if failure.happened:
            await call()
        raise failure.error
