"""Where turns begin and what ends them."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.items import Item

__all__ = ["is_answer", "is_question", "settled", "turn_starts"]


def is_question(item: Item | None) -> bool:
    """Whether `item` is a user's message, with which a turn begins."""
    return item is not None and item.get("role") == "user"


def is_answer(item: Item | None) -> bool:
    """Whether `item` is what the model says; it ends a turn when nothing follows."""
    return item is not None and item.get("role") == "assistant"


def turn_starts(items: Sequence[Item | None]) -> list[int]:
    """The place of each turn's first item."""
    return [place for place, item in enumerate(items) if is_question(item)]


def settled(items: Sequence[Item | None]) -> int:
    """How many of `items` belong to turns that have come to an end.

    All, unless the last turn still waits for the model's last word.
    """
    starts = turn_starts(items)
    if not starts or is_answer(items[-1]):
        return len(items)
    return starts[-1]
