"""Columns of what a read found, worked out when asked for; few ever ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

__all__ = ["Column"]

S = TypeVar("S")
T = TypeVar("T")


class Column(Sequence[T], Generic[S, T]):
    """What `read` makes of each of `stored`."""

    def __init__(self, stored: Sequence[S], read: Callable[[S], T]) -> None:
        self._stored = stored
        self._read = read

    def __len__(self) -> int:
        return len(self._stored)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> Column[S, T]: ...
    def __getitem__(self, index: int | slice) -> T | Column[S, T]:
        if isinstance(index, slice):
            return Column(self._stored[index], self._read)
        return self._read(self._stored[index])

    def __iter__(self) -> Iterator[T]:
        return map(self._read, self._stored)
