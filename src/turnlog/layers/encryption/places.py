"""Places: which records of a log stand where they were not written.

A record carries its `base`, the position at which the log ended before its append, and its ordinal
in the append. So it stands behind its base, and what stands before it was either there at the
time of the append, at the base or before, or belongs to the same append with a lower ordinal.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["Placed", "misplaced"]


class Placed(NamedTuple):
    """An authentic record: where it stands, and the place that it was sealed for."""

    position: int
    base: int
    ordinal: int


def misplaced(records: Iterable[Placed]) -> set[int]:
    """The positions of records that don't stand where they were written: moved or replayed.

    They are the fewest without which all others stand in an order in which they can have been
    written. Where two answers are equally good, the records with the newer base remain, then the
    newer ones.

    records: in the order of their positions. A replayed record is noticed where both places are
        among them, or a neighbour.
    """
    records = list(records)
    right = {each.position for each in _longest_order(records)}
    return {each.position for each in records} - right


class _Order(NamedTuple):
    """The longest legal order that ends with a record. The greater of two is the better one."""

    length: int
    base: int
    position: int


def _longest_order(records: list[Placed]) -> Iterable[Placed]:
    """The longest sequence of `records` in which each can follow the one before it."""
    placed: dict[int, Placed] = {}
    before: dict[int, int] = {}
    positions: list[int] = []
    #: The best order that ends at each of `positions` or earlier.
    best: list[_Order] = []
    appends: dict[int, list[tuple[int, _Order]]] = {}
    for record in records:
        if record.position <= record.base:
            continue
        known = bisect_right(positions, record.base)
        siblings = appends.setdefault(record.base, [])
        last = max(best[known - 1] if known else _NONE, _best_sibling(siblings, record.ordinal))
        order = _Order(last.length + 1, record.base, record.position)
        _add_sibling(siblings, record.ordinal, order)
        placed[record.position], before[record.position] = record, last.position
        positions.append(record.position)
        best.append(max(order, best[-1]) if best else order)
    at = best[-1].position if best else 0
    while at:
        yield placed[at]
        at = before[at]


_NONE = _Order(0, 0, 0)


def _best_sibling(siblings: list[tuple[int, _Order]], ordinal: int) -> _Order:
    """The best order that ends with a record of the same append and a lower ordinal."""
    known = bisect_left(siblings, (ordinal,))
    return siblings[known - 1][1] if known else _NONE


def _add_sibling(siblings: list[tuple[int, _Order]], ordinal: int, order: _Order) -> None:
    """Add an order, so that among `siblings` better orders have greater ordinals."""
    insort(siblings, (ordinal, order))
    at = bisect_left(siblings, (ordinal, order)) + 1
    while at < len(siblings) and siblings[at][1] <= order:
        del siblings[at]
    if at > 1 and siblings[at - 2][1] >= order:
        del siblings[at - 1]
