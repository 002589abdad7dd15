"""Compaction policies: when older turns are to be summed up, and how much a model may be shown."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import NamedTuple

from turnlog.conversation.compaction.summariser import Summariser, check_summariser
from turnlog.conversation.settings import SessionSettings
from turnlog.items.given import check_int, check_int_or_none
from turnlog.items.json import Item
from turnlog.items.shortening import Shorten
from turnlog.items.tokens import TokenCounter, token_counter

__all__ = ["Compaction", "Size", "counter_of"]

#: With `max_tokens`, a summary is made from this share of it on, so that it is there in time.
_IN_TIME = 0.8


class Size(NamedTuple):
    """How large what a model would be shown next is."""

    items: int
    turns: int
    tokens: int


@dataclass(frozen=True)
class Compaction:
    """When the older turns of a session are summed up, after a turn has ended.

        Compaction(summarised_by("gpt-5-mini"), max_tokens=20_000)

    A summary is made as soon as one of the bounds is met. All records stay; see
    `StoredSession.compact`, which does the same by hand. If the summary fails, nothing changes.

    summarise: makes the summary; see `summarised_by`, or any async function of a list of items
        that returns a text. None: old outputs are only shortened.
    max_tokens: the model is never shown more. A summary is made from four fifths of it on; where
        that comes too late, the oldest turns are left out. The turn under way is shown whole.
    max_items, max_turns: a summary is made when a model would be shown more than that.
    fraction, window: a summary is made from this share of the model's window of `window` tokens on.
    keep: how many of the newest turns stay as they are.
    shorten: show old outputs of tools as markers first: `True`, or a `Shorten`.
    timeout: how many seconds all tries of a summary may take together; None for no bound.
    token_counter: counts the tokens of an item, where the session's settings have no counter. For
        the bounds on tokens, what the provider has reported of the last request goes before it.
    """

    summarise: Summariser | None = None
    max_tokens: int | None = None
    max_items: int | None = None
    max_turns: int | None = None
    fraction: float | None = None
    window: int | None = None
    keep: int = 2
    shorten: bool | Shorten = False
    timeout: float | None = 120.0
    token_counter: TokenCounter | None = None

    def __post_init__(self) -> None:
        for name in ("max_tokens", "max_items", "max_turns", "window"):
            check_int_or_none(name, getattr(self, name), 1)
        check_int("keep", self.keep, 0)
        if (self.fraction is None) != (self.window is None):
            raise ValueError("fraction is a share of the model's window: give fraction and window")
        if self.fraction is not None and not 0 < self.fraction <= 1:
            raise ValueError(f"fraction is {self.fraction}; it must be above 0 and at most 1")
        if self.summarise is not None:
            check_summariser(self.summarise)
        if self.summarise is not None and not self._has_bound:
            raise ValueError(
                "Compaction needs a bound, or no summary would ever be made: give max_tokens, "
                "max_items, max_turns, or fraction and window"
            )

    @property
    def _has_bound(self) -> bool:
        bounds = (self.max_tokens, self.max_items, self.max_turns, self.fraction)
        return any(bound is not None for bound in bounds)

    @property
    def shortening(self) -> Shorten | None:
        """How old outputs are shortened; None if they are not."""
        if isinstance(self.shorten, Shorten):
            return self.shorten
        return Shorten() if self.shorten else None

    @property
    def due_tokens(self) -> float | None:
        """More tokens than this call for a summary; None if their number does not count."""
        given = []
        if self.max_tokens is not None:
            given.append(self.max_tokens * _IN_TIME)
        if self.fraction is not None and self.window is not None:
            given.append(self.fraction * self.window)
        return min(given, default=None)

    def due(self, size: Size) -> str:
        """The name of the bound that `size` exceeds; "" if it exceeds none."""
        bounds = {
            "tokens": (size.tokens, self.due_tokens),
            "max_items": (size.items, self.max_items),
            "max_turns": (size.turns, self.max_turns),
        }
        exceeded = (name for name, (is_, most) in bounds.items() if most is not None and is_ > most)
        return next(exceeded, "")

    async def bounding(self, settings: SessionSettings, new: list[Item]) -> SessionSettings:
        """`settings` with which a view leaves room for the new input `new`."""
        if self.shortening is not None:
            settings = settings.resolve(SessionSettings(shorten=self.shortening))
        if self.max_tokens is None:
            return settings
        count = await counter_of(self, settings)
        room = max(0, self.max_tokens - sum(map(count, new)))
        most = room if settings.max_tokens is None else min(room, settings.max_tokens)
        return replace(settings, max_tokens=most, token_counter=count)


async def counter_of(compaction: Compaction | None, settings: SessionSettings) -> TokenCounter:
    """What counts the tokens of an item under `settings`."""
    given = settings.token_counter
    if given is None and compaction is not None:
        given = compaction.token_counter
    if given is not None:
        return given
    return await asyncio.to_thread(token_counter)  # it may have to load a table
