"""The question of a run: the position at which its turn begins, as far as the run knows it."""

from __future__ import annotations

from typing import NamedTuple

from turnlog.conversation.opened import items_of
from turnlog.items.kinds import is_question
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["Question", "newest_question"]


class Question(NamedTuple):
    """The stored question of a run."""

    #: The position at which the log ended with it; None if that is not known.
    end: int | None
    #: Whether the turn begins there.
    is_exact: bool

    async def position(self, store: Store, log: Log) -> int:
        """The position at which the turn begins; 0 if it is before the first question."""
        if self.is_exact and self.end is not None:
            return self.end
        return 0 if self.end == 0 else await newest_question(store, log, self.end)


async def newest_question(store: Store, log: Log, end: int | None = None) -> int:
    """The position of the newest question in `log`; 0 if there is none.

    end: of those up to this position. If its record is gone, the question is taken to be gone
        too, and this is its position.
    """
    limit, before = 16, None if end is None else end + 1
    while True:
        records = await store.read(log, before=before, limit=limit)
        if end is not None and (not records or records.positions[-1] != end):
            return end
        items = items_of(log, records)
        for position, item in zip(reversed(records.positions), reversed(items), strict=True):
            if item is not None and is_question(item):
                return position
        if len(records) < limit:
            return 0
        end, before, limit = None, records.positions[0], 4 * limit
