"""What the elements of a list tell of their records, worked out when asked for; few ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

__all__ = ["WIDTH", "Moments", "Positions"]

#: How many digits an element begins with: the position of its record.
WIDTH = 16


class Positions(Sequence[int]):
    """The positions of elements."""

    def __init__(self, elements: Sequence[bytes]) -> None:
        self._elements = elements

    def __len__(self) -> int:
        return len(self._elements)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> Positions: ...
    def __getitem__(self, index: int | slice) -> int | Positions:
        if isinstance(index, slice):
            return Positions(self._elements[index])
        return int(self._elements[index][:WIDTH])


class Moments(Sequence[float]):
    """The times of positions, which are microseconds of the server's clock."""

    def __init__(self, positions: Positions) -> None:
        self._positions = positions

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, index: int) -> float: ...
    @overload
    def __getitem__(self, index: slice) -> Moments: ...
    def __getitem__(self, index: int | slice) -> float | Moments:
        if isinstance(index, slice):
            return Moments(self._positions[index])
        return self._positions[index] / 1_000_000
