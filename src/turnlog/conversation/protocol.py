"""Session protocol: the members that a runner needs, and a base class for sessions of your own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

from turnlog.conversation.closing import InBlock
from turnlog.conversation.settings import AnySettings
from turnlog.items.given import given
from turnlog.items.json import TResponseInputItem
from turnlog.store import Store

__all__ = ["OnBranch", "Session", "SessionABC", "Writable", "check_store", "is_session"]


@runtime_checkable
class Session(Protocol):
    """A conversation, as a runner needs it; any class with these members will do."""

    session_id: str
    session_settings: AnySettings = None

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest `limit` items, oldest first; None means all."""
        ...

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Append `items`, in order, all of them or none."""
        ...

    async def pop_item(self) -> TResponseInputItem | None:
        """Remove the newest item and return it; None if there is none."""
        ...

    async def clear_session(self) -> None:
        """Remove all items."""
        ...


def is_session(value: object) -> bool:
    """Whether a run can read and write `value`: it has the methods for that, and is no class."""
    return (
        not isinstance(value, type)
        and callable(getattr(value, "get_items", None))
        and callable(getattr(value, "add_items", None))
    )


def check_store(store: object) -> None:
    """Raise `TypeError` for what is no store; all that has `commit` and `read` is taken."""
    has_verbs = callable(getattr(store, "commit", None)) and callable(getattr(store, "read", None))
    if getattr(store, "blocks", False):
        raise TypeError(
            f"this {type(store).__name__} blocks: use turnlog.sync.StoredSession, or give its "
            f"`store`"
        )
    if has_verbs and not isinstance(store, type):
        return
    cure = "give open_store(url)"
    if hasattr(store, "get_items"):
        cure = "give the `store` of that session"
    raise TypeError(f"store must be a store, not {given(store)}: {cure}")


class SessionABC(InBlock, ABC):
    """A base for session classes of your own.

    `get_items` and `add_items` are required. A class without `pop_item` or `clear_session`
    raises `NotImplementedError` when it is called. `clear` and `clear_session` are the same:
    define either. At the end of an `async with` block, the session's `close` is called, if it has
    one, and awaited, if it has to be.
    """

    session_id: str
    session_settings: AnySettings = None

    @abstractmethod
    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        """The newest `limit` items, oldest first; None means all."""

    @abstractmethod
    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Append `items`, in order, all of them or none."""

    async def pop_item(self) -> TResponseInputItem | None:
        """Remove the newest item and return it; None if there is none."""
        raise NotImplementedError(f"{type(self).__name__} does not implement pop_item()")

    async def clear_session(self) -> None:
        """Remove all items."""
        if type(self).clear is SessionABC.clear:
            raise NotImplementedError(f"{type(self).__name__} does not implement clear_session()")
        await self.clear()

    async def clear(self) -> None:
        """The same as `clear_session`."""
        await self.clear_session()


class OnBranch(Protocol):
    """A session on one branch of a stored conversation; `StoredSession` is one."""

    session_id: str
    branch: str
    store: Store
    closed: bool
    lease_seconds: float | None


class Writable(OnBranch, Protocol):
    """The same, to which a run adds items."""

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        """Append `items`."""
        ...

    def add_items_is_overridden(self) -> bool:
        """Whether `add_items` may do anything else than one append."""
        ...
