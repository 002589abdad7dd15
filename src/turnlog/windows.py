"""How much of the past a model is shown: whole turns, counted from the newest.

All here is a function of the items, so that whoever looks at the same conversation with
the same settings sees the same window.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from turnlog.items import Item
from turnlog.repair import repair
from turnlog.tokens import TokenCounter
from turnlog.turns import turn_starts

__all__ = ["Window"]


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

    def is_full(self, items: Sequence[Item]) -> bool:
        """Whether nothing that comes before `items` can be in it."""
        return (
            (self.max_items is not None and len(items) >= self.max_items)
            or (self.max_turns is not None and len(turn_starts(items)) >= self.max_turns)
            or (self.max_tokens is not None and sum(map(self.count, items)) > self.max_tokens)
        )

    def start(self, items: Sequence[Item], turns_before: int = 0) -> int:
        """The place of the first item that is shown; `len(items)` when none is.

        turns_before: how many turns come before `items`; needed for `step` alone.
        """
        starts = turn_starts(items)
        fitting = self._fitting(items, starts)
        if self.step is not None:
            first = turns_before + len(starts) - len(fitting)
            skipped = -first % self.step
            fitting = fitting[skipped if skipped < len(fitting) else 0 :]
        return fitting[0] if fitting else len(items)

    def _fitting(self, items: Sequence[Item], starts: list[int]) -> list[int]:
        """Those of `starts` from which on all fits."""
        if self.max_turns is not None:
            starts = starts[max(0, len(starts) - self.max_turns) :]
        if self.max_items is not None:
            starts = [start for start in starts if len(items) - start <= self.max_items]
        if self.max_tokens is not None:
            starts = self._within_tokens(items, starts, self.max_tokens)
        return starts

    def _within_tokens(self, items: Sequence[Item], starts: list[int], most: int) -> list[int]:
        sums = list(accumulate(map(self.count, reversed(items)), initial=0))
        starts = [start for start in starts if sums[len(items) - start] <= most]
        # Repair may add outputs for calls that were interrupted.
        while starts and sum(map(self.count, repair(items[starts[0] :]))) > most:
            starts = starts[1:]
        return starts
