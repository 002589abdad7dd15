"""Tails: the newest part of a conversation, read backwards as far as is needed and no further."""

from __future__ import annotations

import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence

from turnlog.conversation.protocol import Session
from turnlog.conversation.reading.log import LogReader, Page
from turnlog.conversation.reading.milestones import Milestones
from turnlog.conversation.settings import SessionSettings
from turnlog.conversation.turns.endings import Endings
from turnlog.items.json import Item

__all__ = ["EVERYTHING", "HasTail", "ListedTail", "PagedTail", "Tail", "tail_of"]

#: The arguments of `get_items` with which a session gives all, where it would give less without.
EVERYTHING = {"limit": sys.maxsize}

# How many items more are read at first to find a milestone.
_SOME = 32


class Tail(ABC):
    """The newest part of a conversation, as much of it as was read so far.

    is_nested: whether the reader is part of a turn that is under way.
    """

    def __init__(self, *, is_nested: bool) -> None:
        self.is_nested = is_nested
        #: Oldest first.
        self.items: list[Item] = []
        #: Whether nothing comes before them.
        self.is_whole = False
        self._seen = 0  # how many records were read, also those that can't be decoded

    @abstractmethod
    async def grow(self, count: int | None) -> None:
        """Read `count` records more, or all that there are; None reads all."""

    async def all(self) -> None:
        """Read all items."""
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

    async def is_over(self, start: int) -> bool:  # noqa: ARG002 - most sessions have no marks
        """Whether the turn which begins at item `start` was marked as over."""
        return False

    async def mark(self, place: int, turn: int) -> None:  # noqa: B027 - most have no use for it
        """Note, if that helps later reads, that the item at `place` begins turn `turn`."""


class ListedTail(Tail):
    """The tail of a session that has only `get_items`: it is asked again for more.

    everything: the arguments with which it gives all.
    reader: of the log behind it, if it has one. Then `get_items` may filter, and give fewer
        items than it is asked for although there are more.
    """

    def __init__(
        self,
        get_items: Callable[..., Awaitable[list[Item]]],
        everything: Mapping[str, int],
        reader: LogReader | None = None,
    ) -> None:
        super().__init__(is_nested=reader is not None and reader.is_nested)
        self._get_items = get_items
        self._takes_limit = _takes_limit(get_items)
        self._everything = everything if self._takes_limit else {}
        self._is_exact = reader is None
        self._endings = None if reader is None else Endings(reader.store, reader.log)

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


class PagedTail(Tail):
    """The tail of a log: it reads each record once, and knows its position."""

    def __init__(self, reader: LogReader) -> None:
        super().__init__(is_nested=reader.is_nested)
        self.reader = reader
        #: The records that were read so far.
        self.page = Page([], (), is_whole=False)
        self._milestones = Milestones(reader.store, reader.log)
        self._endings = Endings(reader.store, reader.log)

    async def grow(self, count: int | None) -> None:
        if self.is_whole:
            return
        self.page = await self.reader.longer(self.page, count)
        self.items = self.page.items
        self.is_whole = self.page.is_whole
        self._seen = len(self.page.decoded)

    async def turns_before(self) -> int:
        while True:
            turns = await self._milestones.turns_before(self.items, self.page.positions)
            if turns is not None:
                return turns
            if self.is_whole:
                return 0
            await self.grow(max(self._seen, _SOME))

    async def is_over(self, start: int) -> bool:
        return await self._endings.newest() >= self.page.positions[start]

    async def mark(self, place: int, turn: int) -> None:
        await self._milestones.lay(self.page.positions[place], turn)


class HasTail(ABC):
    """A session whose past can be read backwards, in parts."""

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
