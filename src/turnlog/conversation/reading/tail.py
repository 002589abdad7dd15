"""A conversation read backwards, as far as is needed and no further."""

from __future__ import annotations

import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from turnlog.conversation.protocol import Session
from turnlog.conversation.reading.endings import Endings
from turnlog.conversation.reading.milestones import Milestones
from turnlog.conversation.settings import SessionSettings
from turnlog.items.json import Item

__all__ = ["EVERYTHING", "HasTail", "ListedTail", "Page", "PagedTail", "Tail", "tail_of"]

#: What a session is asked with that would give less than all without.
EVERYTHING = {"limit": sys.maxsize}

# How many items more are looked at to find a milestone.
_SOME = 32


class Tail(ABC):
    """The newest part of a conversation, as much of it as was read so far.

    is_nested: whether whoever reads it is part of a turn that is under way.
    """

    def __init__(self, *, is_nested: bool = False) -> None:
        self.is_nested = is_nested
        #: Oldest first.
        self.items: list[Item] = []
        #: Whether nothing comes before them.
        self.is_whole = False
        self._seen = 0  # how many records that took, those among them that can't be read

    @abstractmethod
    async def grow(self, count: int | None) -> None:
        """Read `count` items more, if there are so many; None reads all.

        It may find that it has to begin again, and have fewer then.
        """

    async def all(self) -> None:
        """Read all that there is."""
        while not self.is_whole:
            await self.grow(None)

    async def until(self, is_enough: Callable[[Sequence[Item]], bool], guess: int) -> None:
        """Read on until `is_enough` of `items`, or there is nothing more to read.

        guess: how many items that takes, probably.
        """
        while not self.is_whole and not is_enough(self.items):
            await self.grow(max(self._seen, guess))

    async def turns_before(self) -> int:
        """How many turns come before `items`. It may have to read on to know that."""
        await self.all()
        return 0

    async def is_over(self, start: int) -> bool:  # noqa: ARG002 - most can't be told
        """Whether it was said that the turn which begins at item `start` is over."""
        return False

    async def mark(self, place: int, turn: int) -> None:  # noqa: B027 - most have no use for it
        """Write down, if that helps later, that the item at `place` begins turn `turn`."""


class ListedTail(Tail):
    """Of a session that knows `get_items` alone: it is asked again for more.

    everything: the arguments with which it gives all.
    is_exact: whether it gives fewer items than it is asked for only if there are no more.
    endings: the marks of turns that are over, if it has any.
    """

    def __init__(
        self,
        get_items: Callable[..., Awaitable[list[Item]]],
        everything: Mapping[str, int],
        *,
        is_exact: bool = True,
        is_nested: bool = False,
        endings: Endings | None = None,
    ) -> None:
        super().__init__(is_nested=is_nested)
        self._get_items = get_items
        self._is_exact = is_exact
        self._takes_limit = _takes_limit(get_items)
        self._everything = everything if self._takes_limit else {}
        self._endings = endings

    async def is_over(self, start: int) -> bool:  # noqa: ARG002 - it knows no positions
        return self._endings is not None and await self._endings.are_all()

    async def grow(self, count: int | None) -> None:
        if self.is_whole:
            return
        if count is None or not self._takes_limit:
            self.items = await self._get_items(**self._everything)
            self.is_whole = True
            return
        self._seen += count
        self.items = await self._get_items(limit=self._seen)
        if len(self.items) < self._seen:
            self.is_whole = self._is_exact
            await self.all()


class Page(NamedTuple):
    """Some records of a log in a row, oldest first."""

    #: Those that can be read, and their positions.
    items: list[Item]
    positions: Sequence[int]
    #: The positions of all.
    records: Sequence[int]


class PagedTail(Tail):
    """Of a log: it reads each record once, and knows its position.

    page: reads the newest records before a position (None: of all), so many (None: all).
    """

    def __init__(
        self,
        page: Callable[[int | None, int | None], Awaitable[Page]],
        milestones: Milestones,
        endings: Endings,
        *,
        is_nested: bool = False,
    ) -> None:
        super().__init__(is_nested=is_nested)
        self._positions: list[Sequence[int]] = []  # of each page, the newest last
        self._page = page
        self._milestones = milestones
        self._endings = endings
        self._oldest: int | None = None  # the position of the oldest record that was read

    async def grow(self, count: int | None) -> None:
        if self.is_whole:
            return
        if self._oldest is None:
            self._put_before(await self._page(None, count), count)
            return
        # One that was read already comes along, to see that it still follows on the others.
        page = await self._page(self._oldest + 1, None if count is None else count + 1)
        if not page.records or page.records[-1] != self._oldest:
            self.items, self._positions, self._oldest = [], [], None
            return
        kept = len(page.items) - (bool(page.items) and page.positions[-1] == self._oldest)
        self._put_before(Page(page.items[:kept], page.positions[:kept], page.records[:-1]), count)

    def _put_before(self, page: Page, count: int | None) -> None:
        self.items = page.items + self.items
        self._positions.insert(0, page.positions)
        self.is_whole = count is None or len(page.records) < count
        self._oldest = page.records[0] if page.records else self._oldest
        self._seen += len(page.records)

    @property
    def positions(self) -> list[int]:
        """Those of the items. Some stores work them out only when asked, so few ask."""
        return [position for page in self._positions for position in page]

    async def turns_before(self) -> int:
        while (turns := await self._milestones.turns_before(self.items, self.positions)) is None:
            if self.is_whole:
                return 0
            await self.grow(max(self._seen, _SOME))
        return turns

    async def is_over(self, start: int) -> bool:
        return await self._endings.newest() >= self.positions[start]

    async def mark(self, place: int, turn: int) -> None:
        await self._milestones.lay(self.positions[place], turn)


class HasTail(ABC):
    """A session that can do better than to be asked for all again."""

    @abstractmethod
    def tail(self) -> Tail:
        """The newest part of the conversation, to be read backwards as far as is needed."""


def tail_of(session: Session) -> Tail:
    """The tail of any session, with nothing read of it yet."""
    if isinstance(session, HasTail):
        return session.tail()
    own = SessionSettings.of(getattr(session, "session_settings", None))
    return ListedTail(session.get_items, {} if own.limit is None else EVERYTHING)


def _takes_limit(get_items: Callable[..., object]) -> bool:
    parameters = inspect.signature(get_items).parameters.values()
    return any(p.name == "limit" or p.kind is p.VAR_KEYWORD for p in parameters)
