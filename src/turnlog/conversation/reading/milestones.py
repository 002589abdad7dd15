"""Milestones: the number of a turn at some positions of a log, so that counting starts there.

To know how many turns come before an item, one would have to count them from the start. With a
milestone near it, one counts from there. Milestones are an index and nothing more: without
them, or when the record of one was popped, the answer is the same and takes longer.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

from turnlog.changes import Append
from turnlog.conversation.turns.holding import open_turn_on
from turnlog.items.json import Item, decode, encode
from turnlog.items.turns import turn_starts
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["Milestones"]


class Milestones:
    """The milestones of `log`, in a log of their own beside it."""

    def __init__(self, store: Store, log: Log) -> None:
        self._store = store
        self._branch = log
        self._log = log.beside("turns")
        self._found: list[_Milestone] = []  # those read and not found outdated, the newest first
        self._before: int | None = None  # where to read on
        self._wanted = 1
        self._is_all = False

    async def turns_before(self, items: Sequence[Item], positions: Sequence[int]) -> int | None:
        """How many turns come before `items`; None if none of them has a milestone."""
        while positions:
            if not self._found and not self._is_all:
                await self._read_on()
                continue
            if not self._found or self._found[0].position < positions[0]:
                return None
            newest = self._found[0]
            place = bisect_left(positions, newest.position)
            if place < len(positions) and positions[place] == newest.position:
                return newest.turn - len(turn_starts(items[:place]))
            del self._found[0]  # its record is gone
        return None

    async def lay(self, position: int, turn: int) -> None:
        """Note that turn number `turn` begins at `position`, unless that is known."""
        if not self._found or self._found[0].position < position:
            milestone = {"position": position, "turn": turn}
            await self._add(Append(self._log.name, [encode(milestone)]))

    async def _add(self, change: Append) -> None:
        """Add a milestone: with the question, if a turn is about to begin."""
        turn = open_turn_on(self._store, self._branch)
        if turn is not None and turn.lease.is_new:
            turn.beside.append(change)
        else:
            await self._store.commit(self._log.session, [change])

    async def _read_on(self) -> None:
        records = await self._store.read(self._log, before=self._before, limit=self._wanted)
        self._is_all = len(records) < self._wanted
        self._wanted *= 4
        if records:
            self._before = records.positions[0]
        read = map(_milestone, reversed(records.payloads))
        self._found += [milestone for milestone in read if milestone is not None]


class _Milestone(NamedTuple):
    #: The position of the item at which it stands.
    position: int
    #: How many turns come before that item.
    turn: int


def _milestone(payload: bytes) -> _Milestone | None:
    """The milestone in `payload`; None if it can't be read, as if it were not there."""
    try:
        found = decode(payload)
        return _Milestone(int(found["position"]), int(found["turn"]))
    except (ValueError, TypeError, KeyError):
        return None
