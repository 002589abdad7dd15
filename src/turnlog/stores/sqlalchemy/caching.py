"""Cache of statements, by the shape of the commit that they make."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

__all__ = ["Cache"]

T = TypeVar("T")

#: Runs make commits of a dozen shapes; a caller of the store may make any number.
_SIZE = 256


class Cache(Generic[T]):
    """A cache that is emptied when it is full."""

    def __init__(self) -> None:
        self._made: dict[Hashable, T] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value under `key`, made and kept if it is missing."""
        found = self._made.get(key)
        if found is None:
            if len(self._made) >= _SIZE:
                self._made.clear()
            found = self._made[key] = make()
        return found
