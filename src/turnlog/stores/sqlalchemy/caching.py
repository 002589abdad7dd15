"""Statements that were built already, by the shape of the commit that they make."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Cache"]

T = TypeVar("T")

#: Runs make a dozen shapes; programs of their own may make any number.
_SIZE = 256


class Cache(Generic[T]):
    """Keeps what was made, and forgets all of it when there is too much."""

    def __init__(self) -> None:
        self._made: dict[Hashable, T] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """What is kept under `key`, made if it is missing."""
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= _SIZE:
                self._made.clear()
            found = self._made[key] = make()
        return found
