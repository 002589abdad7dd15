"""What a conversation is, to whoever uses one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

from turnlog.conversation.settings import SessionSettings
from turnlog.items.json import TResponseInputItem

__all__ = ["Session", "SessionABC"]


@runtime_checkable
class Session(Protocol):
    """What a runner needs of a conversation; any class with these members will do."""

    session_id: str
    session_settings: SessionSettings | None = None

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest `limit` items, oldest first; None means all."""
        ...

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Put `items` at the end, in order, all of them or none."""
        ...

    async def pop_item(self) -> TResponseInputItem | None:
        """Take the newest item away and return it; None if there is none."""
        ...

    async def clear_session(self) -> None:
        """Forget all items."""
        ...


class SessionABC(ABC):
    """A base for session classes of your own.

    `get_items` and `add_items` are needed; a class that can neither pop nor clear
    says so when it is asked to. `clear` and `clear_session` are one thing: define
    either.
    """

    session_id: str
    session_settings: SessionSettings | None = None

    @abstractmethod
    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest `limit` items, oldest first; None means all."""

    @abstractmethod
    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Put `items` at the end, in order, all of them or none."""

    async def pop_item(self) -> TResponseInputItem | None:
        """Take the newest item away and return it; None if there is none."""
        raise NotImplementedError(f"{type(self).__name__} does not implement pop_item()")

    async def clear_session(self) -> None:
        """Forget all items."""
        if type(self).clear is SessionABC.clear:
            raise NotImplementedError(f"{type(self).__name__} does not implement clear_session()")
        await self.clear()

    async def clear(self) -> None:
        """The same as `clear_session`."""
        await self.clear_session()
