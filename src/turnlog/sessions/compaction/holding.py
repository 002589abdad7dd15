"""Held compaction sessions: the session below is held, and the one around it is used."""

from __future__ import annotations

from typing import Any, TypeVar

from turnlog.conversation.held.holding import Held, Holding
from turnlog.conversation.session import StoredSession
from turnlog.conversation.turns.policy import Policy
from turnlog.errors import NotSupported
from turnlog.sessions.compaction.summarising import appends_to

__all__ = ["held_over"]

S = TypeVar("S")


def held_over(
    session: S,
    below: object,
    policy: Policy,
    key: str | None,
    seconds: float | None,
    busy_timeout: float | None,
) -> Holding[S]:
    """A held block on `below`, in which `session` is used."""
    stored = appends_to(below)
    kind = type(session).__name__
    if stored is None:
        raise NotSupported(
            f"{kind} over a {type(below).__name__} can't be held: a lease needs a session of "
            f"Turnlog below it, such as SQLiteSession"
        )
    if policy == "branch":
        raise NotSupported(
            f"{kind} stays on the branch of the session below it: use the policy 'queue' or "
            f"'reject', or hold that session and wrap held.session"
        )
    return _HoldingBelow(session, stored.held(policy, key, seconds, busy_timeout))


class _HoldingBelow(Holding[S]):
    """A block on another session than the one that is used."""

    def __init__(self, session: S, below: Holding[StoredSession]) -> None:
        self._session = session
        self._below: Holding[Any] = below

    async def take(self) -> Held[S]:
        held = await self._below.take()
        return Held(self._session, held.answer)

    def enter(self) -> None:
        self._below.enter()

    def leave(self) -> None:
        self._below.leave()

    async def release(self, error: BaseException | None) -> None:
        await self._below.release(error)
