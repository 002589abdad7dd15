"""Turn index: where the turns of a log begin, read from the end with the help of milestones."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, pairwise
from typing import NamedTuple

from turnlog.conversation.reading.log import LogReader, Page
from turnlog.conversation.reading.milestones import Before, Milestone, Milestones
from turnlog.conversation.reading.tail import PagedTail
from turnlog.items.json import Item
from turnlog.items.turns import turn_starts
from turnlog.records import Log

__all__ = ["StoredTurn", "TurnIndex", "lay_behind_copy"]

# How many records are read at first, or for each turn that is asked for.
_SOME, _ITEMS_IN_A_TURN = 64, 4


class StoredTurn(NamedTuple):
    """One turn of a log.

    number: counted from 1; 0 holds what comes before the first user's message.
    ordinal: how many records come before its first one.
    position: of its first record.
    end: the position of its last record.
    created_at: of its first record.
    items: those that can be decoded.
    """

    number: int
    ordinal: int
    position: int
    end: int
    created_at: float
    items: list[Item]


class TurnIndex:
    """The turns of one log. The cost depends on what is asked for, not on the log's length.

    That needs milestones, which writes lay. Without them, as in a fork that nobody has continued
    yet, it reads the whole log.
    """

    def __init__(self, reader: LogReader) -> None:
        self.reader = reader

    async def newest(self, limit: int | None = None, before: int | None = None) -> list[StoredTurn]:
        """The newest `limit` turns with a number below `before`, oldest first; None: all."""
        if limit == 0 or (before is not None and before <= 1):
            return []
        guess = None if limit is None else max(_SOME, _ITEMS_IN_A_TURN * limit)
        tail = await self._tail_with(before, guess)
        while True:
            stretch = await _stretch(tail)
            last = stretch.last if before is None else min(before - 1, stretch.last)
            first = 1 if limit is None else max(1, last - limit + 1)
            if stretch.before.turns < first:
                return stretch.turns(first, last)
            await tail.grow(max(len(tail.page.decoded), _SOME))

    async def start_of(self, number: int) -> int | None:
        """The position of the first record of turn `number`; None if there is no such turn."""
        found = await self.newest(1, number + 1)
        return found[0].position if found and found[0].number == number else None

    async def count(self, until: int | None = None) -> int:
        """The number of turns of the log; with `until`, of those that begin up to that position."""
        return (await _stretch_until(self.reader, until)).last

    async def whole(self) -> list[StoredTurn]:
        """All turns; as turn 0, if there is any of it, what comes before the first of them."""
        tail = PagedTail(self.reader)
        await tail.all()
        stretch = await _stretch(tail)
        return [*stretch.turn_zero(), *stretch.turns(1, stretch.last)]

    async def _tail_with(self, before: int | None, guess: int | None) -> PagedTail:
        """A tail that ends behind all turns below `before`, and near to them if that is known.

        guess: how many records are read of it at first.
        """
        milestones = Milestones(self.reader.store, self.reader.log)
        if before is not None and (position := await milestones.behind(before)):
            tail = PagedTail(self.reader, position + 1, milestones)
            await tail.grow(guess)
            if (await _stretch(tail)).last >= before:  # else the record at `position` is gone
                return tail
        tail = PagedTail(self.reader, None, milestones)
        await tail.grow(guess)
        return tail


async def lay_behind_copy(
    source: LogReader, until: int, target: Log, end: int, *, added: int = 0
) -> None:
    """Lay a milestone at the end of a new branch, whose records are copies.

    source, until: of the log that was copied up to position `until`.
    target, end: the new branch, and the position of its last record; 0 if it is empty.
    added: how many records follow the copies; with more than one, nothing is laid.

    It reads little, and raises no error of the store but `FileReplaced`: the milestone only saves
    time.
    """
    if until == 0 or added > 1:
        return
    milestones = Milestones(source.store, target)
    try:
        stretch = await _stretch_until(source, until)
        if stretch.page.newest == until:  # else it was popped since
            before = stretch.before_next if added else stretch.before_last
            await milestones.lay([Milestone(end, before)] if before.records else [], end)
    except Exception as error:  # noqa: BLE001 - it is logged
        milestones.failed(error)


async def _stretch_until(reader: LogReader, until: int | None) -> _Stretch:
    """The newest records up to the position `until`."""
    tail = PagedTail(reader, None if until is None else until + 1)
    await tail.grow(_SOME)
    return await _stretch(tail)


class _Stretch(NamedTuple):
    """Records in a row, and what comes before them."""

    page: Page
    before: Before
    #: The index of the first record of each turn that begins in it.
    starts: list[int]

    @property
    def last(self) -> int:
        """The number of the last turn that begins in it or before it."""
        return self.before.turns + len(self.starts)

    @property
    def before_last(self) -> Before:
        """Counts of what comes before its last record."""
        behind = len(self.page.decoded) - 1
        begins = bool(self.starts) and self.starts[-1] == behind
        return Before(self.last - begins, self.before.records + behind)

    @property
    def before_next(self) -> Before:
        """Counts of what will come before the record that follows."""
        return Before(self.last, self.before.records + len(self.page.decoded))

    def turns(self, first: int, last: int) -> list[StoredTurn]:
        """The turns with the numbers `first` to `last`."""
        bounds = list(pairwise([*self.starts, len(self.page.decoded)]))
        skipped = self.before.turns + 1
        chosen = bounds[first - skipped : last - skipped + 1]
        return self._made((number, *each) for number, each in enumerate(chosen, first))

    def turn_zero(self) -> list[StoredTurn]:
        """Turn 0, which holds what comes before the first turn, if the log begins with these."""
        end = self.starts[0] if self.starts else len(self.page.decoded)
        return self._made([(0, 0, end)] if any(self.page.decoded[:end]) else [])

    def _made(self, bounds: Iterable[tuple[int, int, int]]) -> list[StoredTurn]:
        """Turns, each given by its number and the indexes of its first record and of the next."""
        positions, times = self.page.records, [*chain.from_iterable(self.page.times)]
        return [
            StoredTurn(
                number=number,
                ordinal=self.before.records + start,
                position=positions[start],
                end=positions[end - 1],
                created_at=times[start],
                items=[item for item in self.page.decoded[start:end] if item is not None],
            )
            for number, start, end in bounds
        ]


async def _stretch(tail: PagedTail) -> _Stretch:
    """What was read of `tail`. It may have to read on to know what comes before that."""
    before = await tail.before()
    decoded = tail.page.decoded
    starts = turn_starts(decoded)
    return _Stretch(tail.page, before, starts)
