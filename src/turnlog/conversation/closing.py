"""Closing: `await session.close()`, or an `async with` block, for every kind of session.

A session gives back what it has opened itself; what was passed in stays open. A session around
another one closes that.
"""

from __future__ import annotations

from inspect import isawaitable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator
    from types import TracebackType
    from typing import Self

__all__ = ["AlreadyClosed", "Closing", "InBlock", "OpensNothing", "closed"]

#: What `close` returns. It can be awaited, so None is not its type. Protocols and subclasses that
#: were written for the SDK's `SQLiteSession` say None, and have to fit: so it is Any.
Closing: TypeAlias = Any


class AlreadyClosed:
    """The result of a `close` that is done: it can be awaited, and need not be."""

    def __await__(self) -> Generator[Any, None, None]:
        yield from ()


class InBlock:
    """A session that an `async with` block closes at its end, if it has a `close`."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await closed(self)


class OpensNothing:
    """A session that opens nothing itself, so that `close` has nothing to do."""

    def close(self) -> Closing:
        """Give back what this session has opened. Closing twice is fine.

        What was passed in, a store, client or engine, stays open, and the session goes on working.
        """
        return AlreadyClosed()


def closed(session: object) -> Awaitable[None]:
    """Close a session of any kind: `close` is called now, and may have to be awaited."""
    close = getattr(session, "close", None)
    done: object = close() if callable(close) else None
    return done if isawaitable(done) else AlreadyClosed()
