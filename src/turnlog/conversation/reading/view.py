"""View: what a model is shown of a conversation, a window of it that is repaired."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Self

from turnlog.conversation.reading.tail import Tail
from turnlog.conversation.settings import SessionSettings
from turnlog.items.json import Item
from turnlog.items.repair import Interrupted, repair
from turnlog.items.tokens import TokenCounter, estimated_tokens, token_counter
from turnlog.items.window import Window

__all__ = ["View"]


class View:
    """A conversation through a window, read as far as the window needs."""

    def __init__(self, tail: Tail, bounds: Window) -> None:
        self.tail = tail
        self.bounds = bounds
        self._counted: int | None = None  # where the window begins, if that took counting

    @classmethod
    async def of(cls, tail: Tail, settings: SessionSettings) -> Self:
        """The view that `settings` ask for."""
        count = settings.token_counter
        if settings.max_tokens is not None and count is None:
            count = await asyncio.to_thread(token_counter)  # it may have to load a table
        return cls(tail, settings.window(_once(count or estimated_tokens)))

    async def shown(self, interrupted: Interrupted = "mark") -> list[Item]:
        """The items that a model may be shown."""
        return self.repaired(await self.window(), interrupted)

    def repaired(self, items: list[Item], interrupted: Interrupted = "mark") -> list[Item]:
        """`items` in a form that providers accept."""
        return repair(items, interrupted=self.interrupted_calls(interrupted))

    def interrupted_calls(self, interrupted: Interrupted) -> Interrupted:
        """How calls without output are shown: within a turn they are under way, not interrupted."""
        return "leave out" if self.tail.is_nested else interrupted

    async def window(self, *, without: int = 0) -> list[Item]:
        """The summary, and the items in the window, as stored; without the newest `without`."""
        front, past = await self.parts(without=without)
        return [*front, *past]

    async def parts(self, *, without: int = 0) -> tuple[list[Item], list[Item]]:
        """The items of the summary, and those in the window behind it.

        A summary that leaves no room for any turn is not shown.
        """
        tail, bounds = self.tail, self.bounds
        if not bounds.is_bounded:
            await tail.all()
            return tail.front, _before(tail.items, without)
        guess = bounds.guess + without
        await tail.until(lambda items: bounds.is_full(_before(items, without)), guess)
        front = await tail.summary()
        past = _before(tail.items, without)
        if front and bounds.beside(front).has_room(past, is_all=tail.is_whole):
            bounds = bounds.beside(front)
        else:
            front = []
        if bounds.step is None or not bounds.fitting(past):
            return front, past[bounds.start(past) :]
        turns_before = await tail.turns_before()
        past = _before(tail.items, without)
        start = bounds.start(past, turns_before)
        self._counted = start if start < len(past) else None
        return front, past[start:]

    async def mark(self) -> None:
        """Lay milestones, so that later reads are quicker; for a run that is about to write."""
        await self.tail.mark(self._counted)


def _once(count: TokenCounter) -> TokenCounter:
    """`count`, called once for each item."""
    counted: dict[int, tuple[Item, int]] = {}

    def remembered(item: Item) -> int:
        # The item is kept as well, so that its id stays its own.
        if id(item) not in counted:
            counted[id(item)] = item, count(item)
        return counted[id(item)][1]

    return remembered


def _before(items: Sequence[Item], count: int) -> list[Item]:
    """`items` without the newest `count`."""
    return list(items[: max(0, len(items) - count)])
