"""Differences: where two branches part, and how they go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from turnlog.items.json import Item

__all__ = ["DiffRow", "Difference", "PlacedItem"]


class PlacedItem(NamedTuple):
    """An item and the position of its record."""

    position: int
    item: Item


class DiffRow(NamedTuple):
    """Items of two branches that stand for each other; None where a branch has none."""

    ours: PlacedItem | None
    theirs: PlacedItem | None
    same: bool


@dataclass(frozen=True)
class Difference:
    """What two branches have in common, and what comes behind that.

    parted_at: our position of the last record that both begin with; 0 if there is none.
    common_turns: how many turns both begin with.
    rows: what comes behind, aligned by kind and call.
    """

    parted_at: int
    common_turns: int
    rows: list[DiffRow]
