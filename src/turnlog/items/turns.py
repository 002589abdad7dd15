"""Turns: where they begin in a list of items, and whether the last one is over."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.items.json import Item
from turnlog.items.kinds import ends_turn, is_question

__all__ = ["is_answered", "settled", "turn_starts"]


def turn_starts(items: Sequence[Item | None]) -> list[int]:
    """The index of each turn's first item. None stands for a record that can't be read."""
    return [place for place, item in enumerate(items) if item is not None and is_question(item)]


def is_answered(items: Sequence[Item]) -> bool:
    """Whether the last turn was answered, by the rule of `turnlog.items.kinds.ends_turn`."""
    answers = (ends_turn(item) for item in reversed(items))
    return next((answer for answer in answers if answer is not None), False)


def settled(items: Sequence[Item | None], ended: int = 0) -> int:
    """The number of `items` that belong to turns that are over.

    All, unless the last turn still waits for its answer. None stands for a record that can't
    be read.

    ended: turns that begin among the first `ended` items are over in any case.
    """
    starts = turn_starts(items)
    if (
        not starts
        or starts[-1] < ended
        or is_answered([item for item in items if item is not None])
    ):
        return len(items)
    return starts[-1]
