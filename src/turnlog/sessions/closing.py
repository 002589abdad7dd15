"""Closing, ownership and ping, for the session classes that make a store of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from turnlog.conversation.session import StoredSession
from turnlog.conversation.settings import SessionSettings
from turnlog.errors import StoreClosed

if TYPE_CHECKING:
    from typing import Self

    from turnlog.conversation.settings import SettingsLike
    from turnlog.store import Store

__all__ = ["NetworkSession", "OwningSession"]


class OwningSession(StoredSession):
    """A session on a store that was made for it alone, and is closed with it.

    session_settings, settings: at most one of them.
    owns_client: False when the caller passed in the client or engine, and so closes it.
    """

    _store: _Closable

    def __init__(
        self,
        session_id: str,
        store: Store,
        session_settings: SettingsLike,
        settings: SettingsLike,
        *,
        owns_client: bool = True,
    ) -> None:
        either = SessionSettings.either(session_settings, settings)
        super().__init__(session_id, store, session_settings=either)
        self._owns_client = owns_client
        self._owns_store = True

    def __copy__(self) -> Self:
        """A session on the same store, such as a fork. The original closes the store."""
        handle = self.__class__.__new__(self.__class__)
        vars(handle).update(vars(self), _owns_store=False)
        return handle

    def _close(self) -> None:
        if self._owns_client:
            self.closed = True
            if self._owns_store:
                self._store.close()


class NetworkSession(OwningSession):
    """A session on a store that is reached over a network."""

    _store: _Pinged

    async def close(self) -> None:
        """Close the session and its connections. Closing twice is fine.

        With a client or engine that was passed in there is nothing to close: the session
        goes on working, as the SDK's does.
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
        except Exception:  # noqa: BLE001 - every error means that it doesn't answer
            return False
        return True


class _Closable(Protocol):
    def close(self) -> object:
        """Close the store without waiting."""
        ...


class _Pinged(_Closable, Protocol):
    async def ping(self) -> object:
        """Send the server a query. Raises if it doesn't answer."""
        ...
