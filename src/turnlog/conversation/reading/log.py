"""Log reader: reads items from a log, newest first, and knows which records can't be decoded."""

from __future__ import annotations

import logging
from bisect import bisect_right
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple, cast

from turnlog.conversation.opened import items_of
from turnlog.conversation.turns.current import open_turn_on
from turnlog.errors import Unreadable
from turnlog.items.json import Item
from turnlog.records import Log, Records, Unopened
from turnlog.store import Store

__all__ = ["LogReader", "Newest", "Page"]

_logger = logging.getLogger(__name__)


class Page(NamedTuple):
    """Records of a log in a row, oldest first."""

    #: The item of each record; None where it can't be decoded.
    decoded: list[Item | None]
    #: The positions of the records, in one or more parts: some stores work positions out only
    #: when they are asked for, so they are joined only when needed.
    parts: tuple[Sequence[int], ...]
    #: Whether nothing comes before them.
    is_whole: bool
    #: The `created_at` of each record, in as many parts.
    times: tuple[Sequence[float], ...] = ()

    @property
    def records(self) -> Sequence[int]:
        """The position of each record."""
        return self.parts[0] if len(self.parts) == 1 else [*chain.from_iterable(self.parts)]

    @property
    def oldest(self) -> int | None:
        """The position of the first record; None if there are no records."""
        return self.parts[0][0] if self.decoded else None

    @property
    def newest(self) -> int:
        """The position of the last record; 0 if there are no records."""
        return next((part[-1] for part in reversed(self.parts) if len(part)), 0)

    def behind(self, position: int) -> Page:
        """The records behind `position`, as a whole page."""
        start = bisect_right(self.records, position)
        times = [*chain.from_iterable(self.times)][start:]
        return Page(self.decoded[start:], (self.records[start:],), is_whole=True, times=(times,))

    @property
    def items(self) -> list[Item]:
        """The items of the records that can be decoded."""
        if all(self.decoded):  # faster; an item without fields takes the other way
            return cast("list[Item]", self.decoded)
        return [item for item in self.decoded if item is not None]

    @property
    def positions(self) -> Sequence[int]:
        """The position of each of `items`."""
        if all(self.decoded):
            return self.records
        pairs = zip(self.decoded, self.records, strict=True)
        return [position for item, position in pairs if item is not None]


class Newest(NamedTuple):
    """The newest item that can be decoded; None if there is none."""

    item: Item | None
    #: The position at which it stands; without one, that of the oldest record.
    position: int
    #: The last position of the log; 0 if it is empty.
    last: int


class LogReader:
    """The items of one log.

    A record that can't be decoded, or that a layer could not open, is left out, logged once with
    its position, and stays stored. An encrypted record that no layer was asked to open raises
    `Unreadable`.

    unreadable: the positions of such records, as far as they were met.
    problems: why a layer could not open some of them, by position.
    """

    def __init__(self, store: Store, log: Log) -> None:
        self.store = store
        self.log = log
        self.unreadable: set[int] = set()
        self.problems: dict[int, str] = {}

    @property
    def is_nested(self) -> bool:
        """Whether the running task is part of a turn of this log that has begun to write."""
        turn = open_turn_on(self.store, self.log)
        return turn is not None and turn.has_written

    async def all(self) -> list[Item]:
        """All items, oldest first."""
        page = await self.page()
        return page.items

    async def newest(self, count: int) -> list[Item]:
        """The newest `count` items, oldest first."""
        if count <= 0:
            return []
        page = await self.page(count=count)
        while len(items := page.items) < count and not page.is_whole:
            page = await self.longer(page, len(page.decoded))
        return items[-count:]

    async def page(
        self,
        before: int | None = None,
        count: int | None = None,
        *,
        after: int = 0,
        oldest: bool = False,
    ) -> Page:
        """The newest `count` records before position `before`; None: of all, or all.

        after: only what lies behind this position, as if nothing came before that.
        oldest: the oldest `count` records instead.
        """
        records = await self.store.read(
            self.log, after=after, before=before, limit=count, oldest=oldest
        )
        if before is None and not oldest and (records or after == 0):
            self._tell_turn(records)
        decoded = items_of(self.log, records)
        if not all(decoded):
            self._report(records, decoded)
        is_whole = count is None or len(records) < count
        return Page(decoded, (records.positions,), is_whole, (records.times,))

    async def longer(
        self, page: Page, count: int | None, end: int | None = None, *, after: int = 0
    ) -> Page:
        """`page` and the `count` records before it.

        end: `page` holds the newest records before this position; None: the newest of all.
        after: as in `page`.

        If the log has meanwhile lost what the page begins with, these records are read anew, as
        many in all.
        """
        oldest = page.oldest
        if oldest is None:
            return await self.page(end, count, after=after)
        # Its oldest record is read again, to see that it still follows on the others.
        more = None if count is None else count + 1
        before = await self.page(oldest + 1, more, after=after)
        [positions] = before.parts
        if not positions or positions[-1] != oldest:
            whole = None if count is None else len(page.decoded) + count
            return await self.page(end, whole, after=after)
        first, *others = page.parts
        first_times, *other_times = page.times
        return Page(
            before.decoded + page.decoded[1:],
            (positions, first[1:], *others),
            before.is_whole,
            (*before.times, first_times[1:], *other_times),
        )

    async def newest_readable(self) -> Newest:
        """The newest item, past all records behind it that can't be decoded.

        Raises `Unreadable` if a layer could not open one of those.
        """
        last = position = 0
        wanted = 1
        while True:
            records = await self.store.read(self.log, before=position or None, limit=wanted)
            last = last or (records.positions[-1] if records else 0)
            decoded = items_of(self.log, records)
            for (position, payload, _), item in zip(
                reversed(records), reversed(decoded), strict=True
            ):
                if item is not None:
                    return Newest(item, position, last)
                if isinstance(payload, Unopened):
                    raise Unreadable(self.log, position, payload.problem)
            if len(records) < wanted:
                return Newest(None, position, last)
            wanted *= 2

    def _tell_turn(self, records: Records) -> None:
        """Tell the open turn, if there is one, where the log ended at this read."""
        turn = open_turn_on(self.store, self.log)
        if turn is not None:
            turn.saw(records.positions[-1] if records else 0)

    def _report(self, records: Records, decoded: list[Item | None]) -> None:
        for (position, payload, _), item in zip(records, decoded, strict=True):
            if item is None and position not in self.unreadable:
                self.unreadable.add(position)
                problem = "it can't be decoded"
                if isinstance(payload, Unopened):
                    problem = self.problems[position] = payload.problem
                _logger.warning(
                    "session %r, branch %r: record %d is left out: %s",
                    self.log.session,
                    self.log.name,
                    position,
                    problem,
                )
