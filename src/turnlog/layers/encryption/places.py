"""Places: which records of a log stand where they were not written.

A record carries its `base`, the position at which the log ended before its append, and its ordinal
in the append. So it stands behind its base, and what stands before it was either there at the
time of the append, at the base or before, or belongs to the same append with a lower ordinal.
"""

from __future__ import annotations

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

    records: in the order of their positions. A replayed record is noticed where both places are
    among them, or a neighbour.
    """
    wrong: set[int] = set()
    right: list[Placed] = []
    for record in records:
        if record.position <= record.base:
            wrong.add(record.position)
            continue
        # What was written later can't have been there at the time of its append.
        while right and right[-1].base < record.base < right[-1].position:
            wrong.add(right.pop().position)
        if right and (record.base, record.ordinal) <= (right[-1].base, right[-1].ordinal):
            wrong.add(record.position)
        else:
            right.append(record)
    return wrong
