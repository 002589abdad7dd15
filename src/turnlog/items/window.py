"""How much of the past a model is shown: whole turns, counted from the newest.

All here is a function of the items, so that whoever looks at the same conversation with
the same settings sees the same window.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from turnlog.items.json import Item
from turnlog.items.repair import repair
from turnlog.items.tokens import TokenCounter
from turnlog.items.turns import turn_starts

__all__ = ["Window"]

# How many items a turn has, and how many have as many tokens as are asked for, at a guess.
_TURN, _SOME = 4, 32


class Window(NamedTuple):
    """The bounds of what is shown; None bounds nothing.

    It begins at a user's message, and holds as many turns as fit. A turn that doesn't fit
    by itself is not shown in parts: then nothing is.
    """

    max_items: int | None
    max_turns: int | None
    max_tokens: int | None
    #: Begins at every so manieth turn of the conversation only, where one of them fits.
    step: int | None
    count: TokenCounter

    @property
    def is_bounded(self) -> bool:
        """Whether it may be less than the whole past."""
        return not self.max_items is self.max_turns is self.max_tokens is None

    @property
    def guess(self) -> int:
        """How many items fill it, probably."""
        if self.max_items is not None:
            return self.max_items
        return _SOME if self.max_turns is None else self.max_turns * _TURN

    def is_full(self, items: Sequence[Item]) -> bool:
        """Whether nothing that comes before `items` can be in it."""
        return (
            (self.max_items is not None and len(items) >= self.max_items)
            or (self.max_turns is not None and len(turn_starts(items)) >= self.max_turns)
            or (self.max_tokens is not None and self._tokens(items) > self.max_tokens)
        )

    def start(self, items: Sequence[Item], turns_before: int = 0) -> int:
        """The place of the first item that is shown; `len(items)` when none is.

        turns_before: how many turns come before `items`; needed for `step` alone.
        """
        fitting = self.fitting(items)
        if fitting and self.step is not None:
            first = turns_before + len(turn_starts(items[: fitting[0]]))
            skipped = -first % self.step
            fitting = fitting[skipped if skipped < len(fitting) else 0 :]
        return fitting[0] if fitting else len(items)

    def fitting(self, items: Sequence[Item]) -> list[int]:
        """The places of the turns from which on all fits."""
        starts = turn_starts(items)
        if self.max_turns is not None:
            starts = starts[max(0, len(starts) - self.max_turns) :]
        if self.max_items is not None:
            starts = [start for start in starts if len(items) - start <= self.max_items]
        if self.max_tokens is not None and starts:
            starts = self._within_tokens(items, starts, self.max_tokens)
        return starts

    def _within_tokens(self, items: Sequence[Item], starts: list[int], most: int) -> list[int]:
        # What is shown from a later turn on is the end of what is shown from an earlier one:
        # repair moves nothing across a user's message.
        shown = repair(items[starts[0] :])
        sums = list(accumulate(map(self.count, reversed(shown)), initial=0))
        places = turn_starts(shown)
        return [
            start
            for start, place in zip(starts, places, strict=True)
            if sums[len(shown) - place] <= most
        ]

    def _tokens(self, items: Sequence[Item]) -> int:
        return sum(map(self.count, repair(items)))
