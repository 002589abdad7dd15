"""A conversation read backwards, as far as is needed and no further."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from turnlog.conversation import Session
from turnlog.items import Item
from turnlog.milestones import Milestones

__all__ = ["HasTail", "ListedTail", "Page", "PagedTail", "Tail", "tail_of"]

# How many items are looked at first when there is no better guess.
_SOME = 32


class Tail(ABC):
    """The newest part of a conversation, as much of it as was read so far."""

    def __init__(self) -> None:
        #: Oldest first.
        self.items: list[Item] = []
        #: Whether nothing comes before them.
        self.is_whole = False

    @abstractmethod
    async def grow(self, count: int | None) -> None:
        """Read `count` items more, if there are so many; None reads all."""

    async def until(
        self, is_enough: Callable[[Sequence[Item]], bool], guess: int | None = None
    ) -> None:
        """Read on until `is_enough` of `items`, or there is nothing more to read.

        guess: how many items that takes, probably.
        """
        while not self.is_whole and not is_enough(self.items):
            await self.grow(max(len(self.items), guess or _SOME))

    async def turns_before(self) -> int:
        """How many turns come before `items`. It may have to read on to know that."""
        await self.grow(None)
        return 0

    async def mark(self, place: int, turn: int) -> None:  # noqa: B027 - most have no use for it
        """Write down, if that helps later, that the item at `place` begins turn `turn`."""


class ListedTail(Tail):
    """Of a session that knows `get_items` alone: it is asked again for more.

    everything: the limit with which it gives all.
    """

    def __init__(
        self, get_items: Callable[..., Awaitable[list[Item]]], everything: int | None = None
    ) -> None:
        super().__init__()
        self._get_items = get_items
        self._everything = {} if everything is None else {"limit": everything}
        self._takes_limit = _takes_limit(get_items)

    async def grow(self, count: int | None) -> None:
        if self.is_whole:
            return
        if count is None or not self._takes_limit:
            self.items = await self._get_items(**self._everything)
            self.is_whole = True
        else:
            wanted = len(self.items) + count
            self.items = await self._get_items(limit=wanted)
            self.is_whole = len(self.items) < wanted


class Page(NamedTuple):
    """Some records of a log in a row, oldest first, without those that can't be read."""

    items: list[Item]
    positions: Sequence[int]
    #: Before which position to read on; None when nothing comes before.
    before: int | None


class PagedTail(Tail):
    """Of a log: it reads each record once, and knows its position.

    page: reads the newest records before a position (None: of all), so many (None: all).
    """

    def __init__(
        self,
        page: Callable[[int | None, int | None], Awaitable[Page]],
        milestones: Milestones,
    ) -> None:
        super().__init__()
        self.positions: list[int] = []
        self._page = page
        self._milestones = milestones
        self._before: int | None = None

    async def grow(self, count: int | None) -> None:
        if self.is_whole:
            return
        page = await self._page(self._before, count)
        self.items = page.items + self.items
        self.positions = [*page.positions, *self.positions]
        self._before, self.is_whole = page.before, page.before is None

    async def turns_before(self) -> int:
        while (turns := await self._milestones.turns_before(self.items, self.positions)) is None:
            if self.is_whole:
                return 0
            await self.grow(max(len(self.items), _SOME))
        return turns

    async def mark(self, place: int, turn: int) -> None:
        await self._milestones.lay(self.positions[place], turn)


class HasTail(ABC):
    """A session that can do better than to be asked for all again."""

    @abstractmethod
    def tail(self) -> Tail:
        """The newest part of the conversation, to be read backwards as far as is needed."""


def tail_of(session: Session) -> Tail:
    """The tail of any session, with nothing read of it yet."""
    return session.tail() if isinstance(session, HasTail) else ListedTail(session.get_items)


def _takes_limit(get_items: Callable[..., object]) -> bool:
    parameters = inspect.signature(get_items).parameters.values()
    return any(p.name == "limit" or p.kind is p.VAR_KEYWORD for p in parameters)
