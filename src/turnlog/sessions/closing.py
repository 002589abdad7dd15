"""Closing, ownership and ping: what session classes share that make a store of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from turnlog.conversation.session import StoredSession
from turnlog.errors import StoreClosed

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["NetworkSession", "OwningSession"]


class OwningSession(StoredSession):
    """A session on a store that was made for it alone, and is closed with it."""

    #: What a subclass made for itself.
    _store: _Closable
    #: False when the caller handed in the client or engine, and so closes it.
    _owns_client = True

    def _close(self) -> None:
        if self._owns_client:
            self.closed = True
            self._store.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()


class NetworkSession(OwningSession):
    """One whose store is reached over a network."""

    _store: _Pinged

    async def close(self) -> None:
        """Let go of the server. Closing twice is fine.

        With a client or engine that was handed in there is nothing to let go of: the
        session goes on working, as the SDK's does.
        """
        self._close()

    async def ping(self) -> bool:
        """Whether the server answers."""
        if self.closed:
            raise StoreClosed(type(self).__name__)
        try:
            await self._store.ping()
        except StoreClosed:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the answer is no
            return False
        return True


class _Closable(Protocol):
    def close(self) -> object:
        """Let go of the database without waiting."""
        ...


class _Pinged(_Closable, Protocol):
    async def ping(self) -> object:
        """Raise what keeps the server from answering."""
        ...
