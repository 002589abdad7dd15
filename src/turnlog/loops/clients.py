"""Clients per event loop: shared, and closed with their last user or their loop.

A connection belongs to the event loop that opened it, but a store can be used on any loop.
So a store has one client for each loop that it is used on. Stores with the same address
share clients. A client is closed with its last user, at the latest when its loop ends.
"""

from __future__ import annotations

import asyncio
import weakref
from asyncio import AbstractEventLoop
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import suppress
from typing import Any, Generic, TypeAlias, TypeVar

__all__ = ["Share", "SharedClients"]

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

# A reference to a `Share`. Any, because type checkers take no `ref[Share]` for another.
_User: TypeAlias = weakref.ref[Any]


class SharedClients(Generic[K, T]):
    """Clients that are shared by all users of the same key on the same loop.

    make: makes the client for a key, on the loop that will use it.
    close: closes a client, on that loop.
    linger: seconds that a client stays open after its last user, so that sessions that are
        made one after the other share it.
    """

    def __init__(
        self, make: Callable[[K], T], close: Callable[[T], Awaitable[None]], *, linger: float = 1.0
    ) -> None:
        self._make = make
        self._close = close
        self._linger = linger
        self._shelves: dict[AbstractEventLoop, dict[K, _Kept[T]]] = {}

    def share(self, key: K) -> Share[K, T]:
        """A share in the clients for `key`. A client is made when it is first needed."""
        return Share(self, key)

    def take(self, key: K) -> _Kept[T]:
        """The client for `key` on the running loop, made if there is none."""
        shelf = self._shelf(asyncio.get_running_loop())
        kept = shelf.get(key)
        if kept is None or not kept.is_open:
            kept = shelf[key] = _Kept(self._make(key), self._close, self._linger)
        return kept

    def _shelf(self, loop: AbstractEventLoop) -> dict[K, _Kept[T]]:
        shelf = self._shelves.get(loop)
        if shelf is None:
            # A forked child keeps its parent's clients: closing them would affect the parent.
            _drop_ended(self._shelves)
            shelf = self._shelves[loop] = {}  # no other thread runs this loop
        return shelf


class Share(Generic[K, T]):
    """One user's share in the clients for one key, with a client for each loop.

    Garbage collection releases the clients too, so that a user that isn't closed leaks nothing.
    """

    def __init__(self, shared: SharedClients[K, T], key: K) -> None:
        self._shared = shared
        self._key = key
        self._kept: dict[AbstractEventLoop, tuple[_Kept[T], _User]] = {}

    def here(self) -> T:
        """The client for the running loop, made if there is none."""
        kept = self._kept.get(asyncio.get_running_loop())
        if kept is None or not kept[0].is_open:
            kept = self._take()
        return kept[0].client

    def release(self) -> None:
        """Release the clients, from any thread. They are closed soon after their last user."""
        for kept, user in self._drained():
            kept.leave_soon(user)

    async def aclose(self) -> None:
        """Release the clients. The running loop's client is closed before this returns,
        unless it has other users; those of other loops are closed soon after.
        """
        here = asyncio.get_running_loop()
        for kept, user in self._drained():
            if kept.loop is here:
                await kept.leave(user)
            else:
                kept.leave_soon(user)

    def _take(self) -> tuple[_Kept[T], _User]:
        kept = self._shared.take(self._key)
        user = weakref.ref(self, kept.leave_soon)
        kept.users.add(user)
        _drop_ended(self._kept)
        self._kept[kept.loop] = kept, user
        return kept, user

    def _drained(self) -> list[tuple[_Kept[T], _User]]:
        kept, self._kept = self._kept, {}
        return list(kept.values())


def _drop_ended(by_loop: dict[AbstractEventLoop, Any]) -> None:
    """Remove the loops that have ended. Other threads may add theirs at the same time."""
    for loop in list(by_loop):
        if loop.is_closed():
            by_loop.pop(loop, None)


class _Kept(Generic[T]):
    """A client, its loop and its users. All methods but `leave_soon` run on that loop."""

    def __init__(self, client: T, close: Callable[[T], Awaitable[None]], linger: float) -> None:
        self.client = client
        self.loop = asyncio.get_running_loop()
        self.is_open = True
        self.users: set[_User] = set()
        self._close = close
        self._linger = linger
        self._closing: asyncio.Task[None] | None = None
        self._until_closed = self._keep()
        with suppress(StopIteration):
            self._until_closed.__anext__().send(None)

    def leave_soon(self, user: _User) -> None:
        """Remove `user`, from any thread and also from garbage collection."""
        # A loop that has ended has closed its clients already.
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._left, user)

    async def leave(self, user: _User) -> None:
        """Remove `user`, and close the client if it was the last."""
        self.users.discard(user)
        if not self.users:
            await self._aclose()

    async def _keep(self) -> AsyncGenerator[None, None]:
        """Close the client when this generator is closed.

        A loop that ends closes the asynchronous generators that it has started, this one too:
        the only way for a library to notice the end of a loop.
        """
        try:
            yield
        finally:
            self.is_open = False
            await self._close(self.client)

    def _left(self, user: _User) -> None:
        self.users.discard(user)
        if not self.users:
            self.loop.call_later(self._linger, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if self.is_open and not self.users:
            self._closing = self.loop.create_task(self._aclose())

    async def _aclose(self) -> None:
        if self.is_open:
            self.is_open = False
            await self._until_closed.aclose()
