"""Tails: the newest part of a conversation, read backwards as far as is needed and no further."""

from __future__ import annotations

import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from turnlog.conversation.protocol import Session
from turnlog.conversation.reading.log import LogReader, Page
from turnlog.conversation.reading.milestones import (
    SPACING,
    Before,
    Milestone,
    Milestones,
    is_chosen,
)
from turnlog.conversation.settings import SessionSettings
from turnlog.conversation.turns.current import open_turn_on
from turnlog.conversation.turns.endings import Endings
from turnlog.items.json import Item, equal
from turnlog.items.kinds import is_question

__all__ = [
    "EVERYTHING",
    "HasTail",
    "ListedTail",
    "PagedTail",
    "Tail",
    "lay_behind",
    "newest_of",
    "tail_of",
]

#: The arguments of `get_items` with which a session gives all, where it would give less without.
EVERYTHING = {"limit": sys.maxsize}

# How many items more are read at first to find a milestone.
_SOME = 32

# About one of `_RUNS` runs, and one of `_WRITES` writes outside of a turn, lays a milestone. Larger
# writes do it more often, and those of `_LARGE` items always, as counting takes as long as writing.
_RUNS, _WRITES, _LARGE = 32, 64, 512


class Tail(ABC):
    """The newest part of a conversation, as much of it as was read so far.

    is_nested: whether the reader is part of a turn that is under way.
    may_guess: whether it may rely on what its handle knows of summaries, in a turn that is about
        to begin. The commit that begins it then checks that nothing has changed.
    """

    def __init__(self, *, is_nested: bool) -> None:
        self.is_nested = is_nested
        self.may_guess = False
        #: Whether a summary may hold items that only one provider can read.
        self.reads_compaction = True
        #: The items of a summary that stands for what comes before `items`.
        self.front: list[Item] = []
        #: Oldest first.
        self.items: list[Item] = []
        #: Whether nothing comes before them.
        self.is_whole = False
        self._seen = 0  # how many records were read, also those that can't be decoded

    @property
    def positions(self) -> Sequence[int] | None:
        """The position of each of `items`; None where they are not known."""
        return None

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
        """The number of turns before `items`. It may have to read on to know that."""
        await self.all()
        return 0

    def are_equal(self, stored: list[Item], given: list[Item]) -> bool:
        """Whether `stored`, some of `items`, are what was stored of `given`."""
        return equal(stored, given)

    async def summary(self) -> list[Item]:
        """The items of the summary that counts, whether `items` reach back to it or not."""
        return self.front

    async def is_over(self, start: int) -> bool:  # noqa: ARG002 - most sessions have no marks
        """Whether the turn which begins at item `start` was marked as over."""
        return False

    async def mark(self, start: int | None) -> None:  # noqa: B027 - most have no use for it
        """Lay milestones, if that helps later reads; for a run that is about to write.

        start: the index of the item at which a window begins, if it took counting to know that.
        """

    def _is_chosen(self, end: int) -> bool:
        """Whether a run that writes behind position `end` lays a milestone there."""
        return is_chosen(end, _RUNS)


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
        self._reader = reader
        self._endings = None if reader is None else Endings(reader.store, reader.log)

    async def mark(self, start: int | None) -> None:  # noqa: ARG002 - it knows no positions
        turn = None if self._reader is None else open_turn_on(self._reader.store, self._reader.log)
        if self._reader is not None and turn is not None and self._is_chosen(turn.end):
            await PagedTail(self._reader).mark(None)

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
    """The tail of a log: it reads each record once, and knows its position.

    end: only what comes before this position is read; None reads from the end of the log.
    milestones: of the log, as far as they were read.
    """

    def __init__(
        self, reader: LogReader, end: int | None = None, milestones: Milestones | None = None
    ) -> None:
        super().__init__(is_nested=reader.is_nested)
        self.reader = reader
        #: The records that were read so far.
        self.page = Page([], (), is_whole=False)
        self.milestones = milestones or Milestones(reader.store, reader.log)
        self._end = end
        self._endings = Endings(reader.store, reader.log)

    @property
    def positions(self) -> Sequence[int] | None:
        return self.page.positions

    async def grow(self, count: int | None) -> None:
        if self.is_whole:
            return
        self.page = await self.reader.longer(self.page, count, self._end)
        self.items = self.page.items
        self.is_whole = self.page.is_whole
        self._seen = len(self.page.decoded)

    async def turns_before(self) -> int:
        return (await self.before()).turns

    async def before(self) -> Before:
        """Counts of what comes before `page`. It may have to read on to know that."""
        place, (turns, records) = (0, Before(0, 0)) if self.is_whole else await self._counted()
        return Before(turns - _questions(self.page.decoded[:place]), records - place)

    async def is_over(self, start: int) -> bool:
        return await self._endings.newest() >= self.page.positions[start]

    async def mark(self, start: int | None) -> None:
        if self.is_nested:
            return
        wanted = set()
        if start is not None and self._seen > SPACING:  # what is shorter is counted in no time
            wanted.add(self.page.positions[start])
        if not self._seen:
            await self.grow(_SOME)
        if self.page.newest and self._is_chosen(self.page.newest):
            wanted.add(self.page.newest)
        if wanted:
            await self.lay(wanted)

    async def lay(self, wanted: AbstractSet[int]) -> None:
        """Lay milestones at the positions `wanted`, and at others if there are none for long.

        Only behind the newest milestone that there is. It reads back to that one.
        """
        place, before = await self._counted()
        laid = milestones_behind(self.page, place, before, wanted)
        await self.milestones.lay(laid, self.page.newest)

    async def _counted(self) -> tuple[int, Before]:
        """The index in `page` of a record, and what comes before it.

        It is the newest record with a milestone, or the first of the log.
        """
        while not self.is_whole or self._seen > SPACING:
            found = await self.milestones.newest_in(self.page.records)
            if found is not None:
                return found
            if self.is_whole:
                break
            await self.grow(max(self._seen, _SOME))
        return 0, Before(0, 0)


async def lay_behind(reader: LogReader, end: int, count: int) -> None:
    """Lay milestones behind a write outside of a turn: behind large ones, and now and then.

    end: the position of the last of the `count` records that were written.

    It raises no error but `FileReplaced`: what was written stays written, and the milestones only
    save time.
    """
    if not is_chosen(end, max(1, min(_WRITES, _LARGE // count))):
        return
    tail = PagedTail(reader)
    try:
        await tail.grow(count + SPACING)
        await tail.lay({end})
    except Exception as error:  # noqa: BLE001 - it is logged
        tail.milestones.failed(error)


def milestones_behind(
    page: Page, place: int, before: Before, wanted: AbstractSet[int]
) -> list[Milestone]:
    """The milestones to lay behind the record at index `place`.

    before: what comes before that record.
    wanted: positions at which one is laid; where these are far between, others are laid as well.
    """
    laid, last, turns = [], place, before.turns
    for at, position in enumerate(page.records[place:], place):
        if at > place and (position in wanted or at - last >= SPACING):
            laid.append(Milestone(position, Before(turns, before.records + at - place)))
            last = at
        turns += _questions(page.decoded[at : at + 1])
    return laid


def _questions(decoded: Sequence[Item | None]) -> int:
    return sum(item is not None and is_question(item) for item in decoded)


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


async def newest_of(tail: Tail, most: int) -> list[Item]:
    """The newest `most` items of `tail`; with its summary, if there is room for all of that."""
    if most <= 0:
        return []
    await tail.until(lambda items: len(items) >= most, most)
    front = tail.front if len(tail.front) + len(tail.items) <= most else []
    return [*front, *tail.items[-most:]]


def _takes_limit(get_items: Callable[..., object]) -> bool:
    parameters = inspect.signature(get_items).parameters.values()
    return any(p.name == "limit" or p.kind is p.VAR_KEYWORD for p in parameters)
