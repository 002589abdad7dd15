"""Endings: marks of turns that are over without an answer, which the log alone can't show.

With the mark, a question that is asked again in the same words is known to be a new one;
without it, the question is taken for a retry. The marks lie in a log beside the conversation.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import NamedTuple

from turnlog.changes import Append, Change
from turnlog.conversation.deletion import commit_unless_deleted
from turnlog.conversation.opened import check_keyed
from turnlog.errors import Conflict, FileReplaced
from turnlog.items.json import Item, decode, encode
from turnlog.records import Log, Record
from turnlog.store import Store

__all__ = ["Endings", "mark_first", "mark_up_to", "pinned"]

_logger = logging.getLogger(__name__)


def mark_up_to(log: Log, position: int) -> Append:
    """Marks every turn of `log` that began at `position` or before it as over."""
    return _mark(log, {"position": position})


def mark_first(log: Log, count: int, times: Sequence[float] = ()) -> Append:
    """Marks the turns that begin in the first `count` records of `log` as over.

    The records are written in the same commit, so their positions are not known yet. Once they
    are, `pin` puts them into the mark. Until then, a record that comes into the place of one of
    them is told by its time.

    times: of these records, if they are copies; otherwise they have the time of the commit.
    """
    mark: Item = {"records": count}
    return _mark(log, {**mark, "until": max(times)} if times else mark)


class _Mark(NamedTuple):
    """A mark as it is stored: a position, or a number of records up to a time."""

    position: int
    first: int | None
    #: In microseconds since the epoch.
    until: int


class Endings:
    """The newest mark on `log`: all turns that began up to its position are over."""

    def __init__(self, store: Store, log: Log) -> None:
        self._store = store
        self._log = log
        self._marks = log.beside("ended")

    async def mark_all(self) -> None:
        """Mark every turn in the log as over."""
        mark = mark_up_to(self._log, await self._end())
        await commit_unless_deleted(self._store, self._log, [mark])

    async def newest(self) -> int:
        """The position up to which turns are over; 0 if there is no mark."""
        records = await self._store.read(self._marks, limit=1)
        if not records:
            return 0
        check_keyed(self._marks, records[0])
        mark = _mark_in(records[0])
        return 0 if mark is None else await self._position(mark)

    async def pin(self) -> None:
        """Put the position into a mark by `mark_first`, so that it means these records for ever.

        It raises no error but `FileReplaced`, which concerns what the caller has stored: without
        it, records of the same time may be taken for these.
        """
        try:
            records = await self._store.read(self._marks, limit=1)
            mark = _mark_in(records[0]) if records else None
            if mark is not None and mark.first is not None:
                pinned = {"position": await self._position(mark)}
                await self._pinned(pinned, records.positions[0])
        except FileReplaced:
            raise
        except Exception as error:  # noqa: BLE001 - it is logged
            _logger.warning(
                "session %r, branch %r: a mark of ended turns has no position: %s",
                self._log.session,
                self._log.name,
                type(error).__name__,
            )

    async def _pinned(self, mark: Item, replaced: int) -> None:
        with suppress(Conflict):  # there is a newer mark
            change = Append(self._marks.name, [encode(mark)], expect=replaced, cut=0)
            await commit_unless_deleted(self._store, self._log, [change])

    async def are_all(self) -> bool:
        """Whether the mark stands at the end of the log."""
        newest = await self.newest()
        return newest > 0 and newest >= await self._end()

    async def _position(self, mark: _Mark) -> int:
        if mark.first is None:
            return mark.position
        first = await self._store.read(self._log, limit=mark.first, oldest=True)
        # What is newer came after some of the marked records were removed.
        marked = list(takewhile(lambda each: _micros(each.created_at) <= mark.until, first))
        return marked[-1].position if marked else 0

    async def _end(self) -> int:
        records = await self._store.read(self._log, limit=1)
        return records.positions[-1] if records else 0


async def pinned(store: Store, log: Log, made: Iterable[Change]) -> None:
    """Put the position into the mark on `log`, if the changes that were `made` have set one."""
    if log.beside("ended").name in {change.log for change in made}:
        await Endings(store, log).pin()


def _mark(log: Log, mark: Item) -> Append:
    """Replaces the mark on `log`."""
    return Append(log.beside("ended").name, [encode(mark)], cut=0)


def _mark_in(record: Record) -> _Mark | None:
    """The mark in `record`; None if it can't be read, which counts for nothing."""
    try:
        mark = decode(record.payload)
        if "records" not in mark:
            return _Mark(int(mark["position"]), None, 0)
        until = _micros(float(mark.get("until", record.created_at)))
        return _Mark(0, int(mark["records"]), until)
    except (ValueError, TypeError, KeyError):
        return None


def _micros(moment: float) -> int:
    """Seconds as whole microseconds, in which stores keep times."""
    return round(moment * 1_000_000)
