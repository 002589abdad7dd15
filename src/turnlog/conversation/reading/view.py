"""View: what a model is shown of a conversation, a window of it that is repaired."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Self

from turnlog.conversation.reading.changing import Changed, Changing, CompactionItems, Parts
from turnlog.conversation.reading.tail import Tail
from turnlog.conversation.settings import SessionSettings
from turnlog.items.json import Item
from turnlog.items.repair import Interrupted, repair
from turnlog.items.tokens import TokenCounter, estimated_tokens, token_counter
from turnlog.items.window import Window

__all__ = ["View"]


class View:
    """A conversation through a window, read as far as the window needs.

    changing: what is shown in another form than it is stored; by default nothing.
    """

    def __init__(self, tail: Tail, bounds: Window, changing: Changing | None = None) -> None:
        self.tail = tail
        self.bounds = bounds
        self._changing = changing or Changing()
        self._counted: int | None = None  # where the window begins, if that took counting
        tail.reads_compaction = self._changing.compaction != "leave out"

    @classmethod
    async def of(
        cls, tail: Tail, settings: SessionSettings, *, compaction: CompactionItems | None = None
    ) -> Self:
        """The view that `settings` ask for.

        compaction: what is done with a provider's compaction items; None: as the settings say.
        """
        count = settings.token_counter
        if settings.max_tokens is not None and count is None:
            count = await asyncio.to_thread(token_counter)  # it may have to load a table
        asked: CompactionItems = "begin" if settings.reads_compaction else "leave out"
        changing = Changing(settings.shorten, compaction or asked)
        return cls(tail, settings.window(_once(count or estimated_tokens)), changing)

    async def shown(self, interrupted: Interrupted = "mark") -> list[Item]:
        """The items that a model may be shown."""
        return self.repaired(await self.window(), interrupted)

    def repaired(self, items: list[Item], interrupted: Interrupted = "mark") -> list[Item]:
        """`items` in a form that providers accept."""
        return repair(items, interrupted=self.interrupted_calls(interrupted))

    def interrupted_calls(self, interrupted: Interrupted) -> Interrupted:
        """The form of calls without output: within a turn they are under way, not interrupted."""
        return "leave out" if self.tail.is_nested else interrupted

    async def window(self, *, without: int = 0) -> list[Item]:
        """The summary, and the items in the window; without the newest `without`."""
        parts = await self.parts(without=without)
        return [*parts.front, *parts.past]

    async def parts(self, *, without: int = 0) -> Parts:
        """The items of the summary, and those in the window behind it.

        A summary that leaves no room for any turn is not shown.
        """
        await self._read(without)
        front = await self.tail.summary()
        changed = await self._changed(without)
        if changed.begins:
            front = []
        bounds = self.bounds
        if front or changed.lead:
            bounds = bounds.beside([*front, *changed.lead])
            if not bounds.has_room(changed.past, is_all=self.tail.is_whole):
                front, changed, bounds = [], changed.without_lead(), self.bounds
        if not bounds.is_bounded:
            return Parts(front, changed, 0)
        start = bounds.start(changed.past)
        if bounds.step is not None and bounds.fitting(changed.past):
            turns_before = await self.tail.turns_before()
            changed = await self._changed(without)
            start = bounds.start(changed.past, turns_before + changed.turns_left_out)
            self._counted = changed.places[start] if start < len(changed.past) else None
        return Parts(front, changed, start)

    async def _read(self, without: int) -> None:
        """Read as much as the window may hold."""
        tail, bounds = self.tail, self.bounds
        if not bounds.is_bounded or self._changing.shorten is not None:
            await tail.all()
            return

        def is_full(items: Sequence[Item]) -> bool:
            return bounds.is_full(self._changing.readable(_before(items, without)))

        await tail.until(is_full, bounds.guess + without)

    async def _changed(self, without: int) -> Changed:
        """The items that were read, in the form in which they are shown."""
        items = _before(self.tail.items, without)
        if self._changing.shorten is None:  # positions take time on some stores
            return self._changing.changed(items)
        return self._changing.changed(items, self.tail.positions, await self.tail.turns_before())

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
