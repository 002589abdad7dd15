"""Constructors of blocking twins, with the parameters of the sessions' own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, ParamSpec, overload

from turnlog.conversation.protocol import Session
from turnlog.conversation.session import StoredSession
from turnlog.sync.session import BlockingSession
from turnlog.sync.stored import BlockingStoredSession

__all__ = ["Twins", "blocking"]

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


class Twins(Generic[P]):
    """Called like `make`, it makes blocking twins. Subclasses add further constructors."""

    def __init__(self, make: Callable[P, StoredSession]) -> None:
        self._make = blocking(make)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> BlockingStoredSession:
        return self._make(*args, **kwargs)
