"""Which turn of a conversation stands where, written down now and then.

Whoever wants to know how many turns came before an item would have to count them from the
start. With a milestone near it, it counts from there. It is an index and nothing more:
without it, or when its record was popped, the answer is the same and takes longer.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from turnlog.items import Item, decode, encode
from turnlog.store import Log, Store
from turnlog.turns import turn_starts

__all__ = ["Milestones"]


class Milestones:
    """The milestones of `log`, in a log of their own beside it."""

    def __init__(self, store: Store, log: Log) -> None:
        self._store = store
        self._log = log.beside("turns")
        self._newest: _Milestone | None = None
        self._next: _Milestone | None = None  # the newest that may be of use
        self._has_looked = False

    async def turns_before(self, items: Sequence[Item], positions: Sequence[int]) -> int | None:
        """How many turns come before `items`; None if none of them has a milestone."""
        if not self._has_looked:
            self._has_looked = True
            self._newest = self._next = await self._before(None)
        while self._next is not None and positions and self._next.position >= positions[0]:
            place = bisect_left(positions, self._next.position)
            if place < len(positions) and positions[place] == self._next.position:
                return self._next.turn - len(turn_starts(items[:place]))
            self._next = await self._before(self._next.at)  # the record that it stood at is gone
        return None

    async def lay(self, position: int, turn: int) -> None:
        """Write down that turn number `turn` begins at `position`, unless it is."""
        if self._newest is None or self._newest.position < position:
            milestone = {"position": position, "turn": turn}
            await self._store.append(self._log, [encode(milestone)])

    async def _before(self, at: int | None) -> _Milestone | None:
        records = await self._store.read(self._log, before=at, limit=1)
        if not records:
            return None
        milestone = decode(records.payloads[0])
        return _Milestone(records.positions[0], milestone["position"], milestone["turn"])


class _Milestone(NamedTuple):
    #: Its own position, among the milestones.
    at: int
    #: The position of the item that it stands at.
    position: int
    #: How many turns come before that item.
    turn: int
