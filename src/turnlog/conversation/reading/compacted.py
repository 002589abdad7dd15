"""Compacted tails: the newest part of a log, up to the records that a summary stands for."""

from __future__ import annotations

from turnlog.changes import Check
from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.reading.tail import PagedTail
from turnlog.conversation.summaries.reading import (
    KnownSummaries,
    Summaries,
    all_summaries,
    is_among,
    newest_summary,
)
from turnlog.conversation.summaries.record import Summary, summaries_of
from turnlog.conversation.turns.current import open_turn_on
from turnlog.items.json import Item

__all__ = ["CompactedTail"]

# So many records are read at first, where all are asked for: most
# conversations have fewer behind their summary, and others are not read whole in vain.
_AT_ONCE = 256


class CompactedTail(PagedTail):
    """The tail of a log behind what the newest summary that counts stands for.

    It is whole when it has reached the covered records, and then `front` has the summary's items.

    known: what the handle knows of the summaries; it is brought up to date.
    """

    def __init__(self, reader: LogReader, known: KnownSummaries) -> None:
        super().__init__(reader)
        #: The position of the last record that the summary covers; 0 without one.
        self.covers = 0
        #: The position of the last record, also if it is covered; 0 in an empty log.
        self.newest = 0
        self._known = known
        self._left: list[Summary] = []  # which may count, the newest first
        self._has_begun = self._has_all = False

    async def grow(self, count: int | None) -> None:
        if self.is_whole:
            return
        if self._has_begun:
            await self._read(count)
        elif self._guessed():
            await self._read_guessing(count)
        elif open_turn_on(self.reader.store, self.reader.log) is None:
            await self._begin(_AT_ONCE if count is None else count)
        else:  # a turn does one thing after the other, so that its steps have one order
            self._use(await newest_summary(self.reader.store, self.reader.log))
            self._has_begun = True
            await self._read(count)

    async def summary(self) -> list[Item]:
        while not self.is_whole and self._left:
            newest = self._left[0]
            if newest.is_kept or await self._is_there(newest.covers):
                return newest.items
            await self._next()
        return self.front

    async def turns_before(self) -> int:
        if not self._left:
            return await super().turns_before()
        await self.all()
        return self._left[0].turns if self._left else await super().turns_before()

    async def mark(self, start: int | None) -> None:
        if not self._left:
            await super().mark(start)
        elif self.newest and self._is_chosen(self.newest):
            await PagedTail(self.reader).mark(None)  # which counts from the start of the log

    def _guessed(self) -> bool:
        """Rely on what the handle knows, if a turn is about to begin, which checks it."""
        turn = open_turn_on(self.reader.store, self.reader.log)
        if not self.may_guess or self._known.is_outdated:
            return False
        if turn is None or not turn.may_guess_summaries:
            return False
        last = self._known.last
        if not all(map(self._is_readable, last.found)):
            return False  # older ones may count, which are perhaps not known
        self._left, self._has_begun = [*last.found], True
        turn.extra_changes.append(self._check)
        return True

    @property
    def _check(self) -> Check:
        """The condition that the summaries are as the handle knows them."""
        return Check(summaries_of(self.reader.log).name, self._known.last.end)

    async def _read_guessing(self, count: int | None) -> None:
        """Read `count` records. A handle that was never used looks for a summary before many."""
        if not self._known.is_unread or (count is not None and count <= _AT_ONCE):
            await self._read(count)
            return
        await self._read(_AT_ONCE)
        if self.is_whole:
            return
        turn = open_turn_on(self.reader.store, self.reader.log)
        if turn is not None:  # what is read now need not be guessed
            turn.extra_changes.remove(self._check)
        self._use(await newest_summary(self.reader.store, self.reader.log))
        await self._settle(count)
        if not self.is_whole:
            await self._read(None if count is None else count - _AT_ONCE)

    async def _begin(self, count: int) -> None:
        """Read the newest summary, then `count` records.

        Not at the same time: if one read fails, the other must not go on after this call has ended.
        """
        summaries = await newest_summary(self.reader.store, self.reader.log)
        self._use(summaries)
        self.page, self._has_begun = await self.reader.page(count=count), True
        if not all(map(self._is_readable, summaries.found)):
            await self._next()
        await self._settle(count)

    async def _read(self, count: int | None) -> None:
        """Read `count` records more, or all that the summary does not stand for."""
        self.page = await self.reader.longer(self.page, count, self._end, after=self._lowest)
        await self._settle(count)

    async def _settle(self, count: int | None) -> None:
        """See whether the page has reached the covered records, and whether these are there."""
        while self._left and self._has_reached(self._left[0]):
            if self._counts(self._left[0]):
                await self._stop_behind(self._left[0])
                break
            lowest = self._lowest
            await self._next()
            if self._lowest < lowest:
                self.page = await self.reader.longer(
                    self.page, count, self._end, after=self._lowest
                )
        self.newest = self.page.newest or self.covers
        self.items, self.is_whole = self.page.items, self.page.is_whole
        self._seen = len(self.page.decoded)

    def _counts(self, summary: Summary) -> bool:
        return summary.is_kept or is_among(summary.covers, self.page.records)

    async def _stop_behind(self, summary: Summary) -> None:
        """Nothing comes before what lies behind `summary`."""
        if not self.page.decoded and self._lowest:
            await self.reader.page(count=1)  # it tells the turn where the log ends
        self.page = self.page.behind(summary.covers)
        self.front, self.covers = summary.items, summary.covers

    def _has_reached(self, summary: Summary) -> bool:
        oldest = self.page.oldest
        return self.page.is_whole or (oldest is not None and oldest <= summary.covers)

    @property
    def _lowest(self) -> int:
        """A position behind which the record that the summary ends with is the first."""
        return max(0, self._left[0].covers - 1) if self._left else 0

    async def _next(self) -> None:
        """Go on with the next older summary: the first does not count."""
        if self._has_all:
            del self._left[0]
            return
        # Read after the records: a mark that keeps a summary whose records were removed is seen.
        self._has_all = True
        self._use(await all_summaries(self.reader.store, self.reader.log))

    def _use(self, summaries: Summaries) -> None:
        self._known.last = summaries
        self._known.is_outdated = self._known.is_unread = False
        self._left = [each for each in summaries.found if self._is_readable(each)]

    def _is_readable(self, summary: Summary) -> bool:
        """Whether the reader can read `summary`, which a provider may have encrypted."""
        return self.reads_compaction or not summary.is_sealed

    async def _is_there(self, position: int) -> bool:
        return bool(
            await self.reader.store.read(
                self.reader.log, after=position - 1, before=position + 1, limit=1
            )
        )
