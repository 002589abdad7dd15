"""Where turns begin, and whether they have come to an end."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.items.json import Item
from turnlog.items.kinds import ends_turn, is_question

__all__ = ["is_answered", "settled", "turn_starts"]


def turn_starts(items: Sequence[Item]) -> list[int]:
    """The place of each turn's first item."""
    return [place for place, item in enumerate(items) if is_question(item)]


def is_answered(items: Sequence[Item]) -> bool:
    """Whether the model has had the last word, as `turnlog.items.kinds.ends_turn` tells."""
    told = (ends_turn(item) for item in reversed(items))
    return next((ended for ended in told if ended is not None), False)


def settled(items: Sequence[Item | None], ended: int = 0) -> int:
    """How many of `items` belong to turns that have come to an end.

    All, unless the last turn still waits for its answer. None stands for what can't be read.

    ended: turns that begin among the first so many items are over in any case.
    """
    read = [(place, item) for place, item in enumerate(items) if item is not None]
    starts = [place for place, item in read if is_question(item)]
    if not starts or starts[-1] < ended or is_answered([item for _, item in read]):
        return len(items)
    return starts[-1]
