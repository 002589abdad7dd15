"""Marks of turns that are over without an answer of the model, which the log alone can't show.

With the mark, a question that is asked again in the same words is known to be a new one;
without it, the question is taken for a retry. The marks lie in a log beside the conversation.
"""

from __future__ import annotations

from turnlog.items.json import decode, encode
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["Endings"]


class Endings:
    """The newest mark on `log`: all turns that began up to its position are over."""

    def __init__(self, store: Store, log: Log) -> None:
        self._store = store
        self._log = log
        self._marks = log.beside("ended")

    async def mark(self, position: int) -> None:
        """Every turn that began at `position` or before it is over."""
        last = await self._store.append(self._marks, [encode({"position": position})])
        await self._store.remove(self._marks, before=last)

    async def mark_all(self) -> None:
        """Every turn in the log is over."""
        await self.mark(await self._end())

    async def newest(self) -> int:
        """The position up to which turns are over; 0 if there is no mark."""
        records = await self._store.read(self._marks, limit=1)
        try:
            return int(decode(records.payloads[0])["position"]) if records else 0
        except (ValueError, TypeError, KeyError):
            return 0  # a mark that can't be read counts for nothing

    async def are_all(self) -> bool:
        """Whether the mark stands at the end of the log."""
        newest = await self.newest()
        return newest > 0 and newest >= await self._end()

    async def _end(self) -> int:
        records = await self._store.read(self._log, limit=1)
        return records.positions[-1] if records else 0
