"""Constructors of blocking twins for session classes of your own."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, overload

from turnlog.conversation.protocol import Session
from turnlog.conversation.session import StoredSession
from turnlog.sync.session import BlockingSession
from turnlog.sync.stored import BlockingStoredSession

__all__ = ["blocking"]

P = ParamSpec("P")


@overload
def blocking(make: Callable[P, StoredSession]) -> Callable[P, BlockingStoredSession]: ...


@overload
def blocking(make: Callable[P, Session]) -> Callable[P, BlockingSession]: ...


def blocking(make: Callable[P, Session]) -> Callable[P, BlockingSession]:
    """A function like `make`, with the same parameters, that makes blocking twins."""

    def make_twin(*args: P.args, **kwargs: P.kwargs) -> BlockingSession:
        session = make(*args, **kwargs)
        if isinstance(session, StoredSession):
            return BlockingStoredSession(session)
        return BlockingSession(session)

    return make_twin
