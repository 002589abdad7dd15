"""Users of an engine: the stores that keep its database file open."""

from __future__ import annotations

import weakref
from collections.abc import Callable

__all__ = ["Users"]


class Users:
    """A set of users, each until it is removed or garbage.

    wake: called when the last user is gone. The garbage collector may cause that at any point
        of any thread, so `wake` must not take a lock.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._users: set[weakref.ref[object]] = set()
        self._wake = wake

    def __len__(self) -> int:
        return len(self._users)

    def add(self, user: object) -> None:
        """Count `user` in."""
        self._users.add(weakref.ref(user, self._forget))

    def remove(self, user: object) -> None:
        """Count `user` out."""
        self._forget(weakref.ref(user))

    def _forget(self, user: weakref.ref[object]) -> None:
        self._users.discard(user)
        if not self._users:
            self._wake()
