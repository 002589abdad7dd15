"""Endings: marks of turns that are over without an answer, which the log alone can't show.

With the mark, a question that is asked again in the same words is known to be a new one;
without it, the question is taken for a retry. The marks lie in a log beside the conversation.
"""

from __future__ import annotations

from turnlog.changes import Append
from turnlog.conversation.deletion import commit_unless_deleted
from turnlog.items.json import Item, decode, encode
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["Endings", "mark_first", "mark_up_to"]


def mark_up_to(log: Log, position: int) -> Append:
    """Marks every turn of `log` that began at `position` or before it as over."""
    return _mark(log, {"position": position})


def mark_first(log: Log, count: int) -> Append:
    """Marks the turns that begin in the first `count` records of `log` as over."""
    return _mark(log, {"records": count})


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
        try:
            return await self._position(decode(records.payloads[0])) if records else 0
        except (ValueError, TypeError, KeyError):
            return 0  # a mark that can't be read counts for nothing

    async def are_all(self) -> bool:
        """Whether the mark stands at the end of the log."""
        newest = await self.newest()
        return newest > 0 and newest >= await self._end()

    async def _position(self, mark: Item) -> int:
        if "records" not in mark:
            return int(mark["position"])
        first = await self._store.read(self._log, limit=int(mark["records"]), oldest=True)
        return first.positions[-1] if first else 0

    async def _end(self) -> int:
        records = await self._store.read(self._log, limit=1)
        return records.positions[-1] if records else 0


def _mark(log: Log, mark: Item) -> Append:
    """Replaces the mark on `log`."""
    return Append(log.beside("ended").name, [encode(mark)], cut=0)
