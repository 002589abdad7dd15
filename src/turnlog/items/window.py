"""Window selection: which of the newest turns a model is shown.

All here is a function of the items, so that everyone who looks at the same conversation with
the same settings sees the same window.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from turnlog.items.json import Item
from turnlog.items.repair import repair
from turnlog.items.tokens import TokenCounter
from turnlog.items.turns import turn_starts

__all__ = ["Window"]

# A guess at how many items a turn has.
_ITEMS_IN_A_TURN = 4

# So many items are read at first, at least: they cost less than to read again for some more.
_READ_AT_ONCE = 32


class Window(NamedTuple):
    """The bounds of what is shown; None bounds nothing.

    It begins with a user's message, and holds as many turns as fit. A turn that doesn't fit
    by itself is not shown in parts: then nothing is shown.
    """

    max_items: int | None
    max_turns: int | None
    max_tokens: int | None
    #: It begins only at the conversation's first turn and every so many turns after it, if
    #: one of these fits.
    step: int | None
    count: TokenCounter

    @property
    def is_bounded(self) -> bool:
        """Whether it may be less than the whole past."""
        return not self.max_items is self.max_turns is self.max_tokens is None

    @property
    def guess(self) -> int:
        """The number of items to read at first, because so many probably fill it."""
        if self.max_items is not None:
            return self.max_items
        return max(_READ_AT_ONCE, (self.max_turns or 0) * _ITEMS_IN_A_TURN)

    def is_full(self, items: Sequence[Item]) -> bool:
        """Whether nothing that comes before `items` can be in it."""
        return (
            (self.max_items is not None and len(items) >= self.max_items)
            or (self.max_turns is not None and len(turn_starts(items)) >= self.max_turns)
            or (self.max_tokens is not None and self._tokens(items) > self.max_tokens)
        )

    def beside(self, front: Sequence[Item]) -> Window:
        """The same window, less what the items of `front` take that are shown before it."""
        most_items, most_tokens = self.max_items, self.max_tokens
        if most_items is not None:
            most_items -= len(front)
        if most_tokens is not None:
            most_tokens -= sum(map(self.count, repair(front)))
        return self._replace(max_items=most_items, max_tokens=most_tokens)

    def has_room(self, items: Sequence[Item], *, is_all: bool) -> bool:
        """Whether one of the turns in `items` fits; without any turn, whether it isn't full.

        is_all: whether no older items are there.
        """
        if turn_starts(items) or not is_all:
            return bool(self.fitting(items))
        return (self.max_items or 0) >= 0 and (self.max_tokens or 0) >= 0 and self.max_turns != 0

    def start(self, items: Sequence[Item], turns_before: int = 0) -> int:
        """The index of the first item that is shown; `len(items)` when none is.

        turns_before: how many turns come before `items`; needed for `step` alone.
        """
        fitting = self.fitting(items)
        if fitting and self.step is not None:
            first = turns_before + len(turn_starts(items[: fitting[0]]))
            skipped = -first % self.step
            fitting = fitting[skipped if skipped < len(fitting) else 0 :]
        return fitting[0] if fitting else len(items)

    def fitting(self, items: Sequence[Item]) -> list[int]:
        """The indices at which the window could begin without exceeding a bound."""
        *_, (_, starts) = self._narrowed(items)
        return starts

    def why_outside(self, items: Sequence[Item], start: int) -> list[str]:
        """For each item before `start`, where the window begins: the bound that excludes it."""
        bounds = list(self._narrowed(items))
        by_step = (
            f"The window begins only at the first turn and every {self.step} turns after it (step)."
        )
        return [
            next((why for why, starts in bounds if not starts or place < starts[0]), by_step)
            for place in range(start)
        ]

    def _narrowed(self, items: Sequence[Item]) -> Iterator[tuple[str, list[int]]]:
        """Where the window could begin, after each bound in turn, with the bound in words."""
        starts = turn_starts(items)
        yield "A window begins with a user's message; this comes before the first.", starts
        if self.max_turns is not None:
            starts = starts[max(0, len(starts) - self.max_turns) :]
            yield f"It is outside of the window: max_turns is {self.max_turns}.", starts
        if self.max_items is not None:
            starts = [start for start in starts if len(items) - start <= self.max_items]
            yield (
                f"It is outside of the window of whole turns: limit is {self.max_items} (items).",
                starts,
            )
        if self.max_tokens is not None and starts:
            starts = self._within_tokens(items, starts, self.max_tokens)
            tokens = f"max_tokens is {self.max_tokens}"
            yield f"It is outside of the window of whole turns: {tokens}.", starts

    def _within_tokens(self, items: Sequence[Item], starts: list[int], most: int) -> list[int]:
        # The view from a later turn on is the end of the view from an earlier one, because
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
        """The tokens of the whole turns in `items`.

        Not of a part of a turn: how its calls are repaired depends on the rest of the turn.
        """
        first = next(iter(turn_starts(items)), len(items))
        return sum(map(self.count, repair(items[first:])))
