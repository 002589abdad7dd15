"""Milestones: how many turns and records come before some records of a log.

To number the turns of a log, one would have to count them from its start. With a milestone among
the newest records, one counts from there. Milestones are an index and nothing more: without
them, or when the record of one was popped, the answer is the same and takes longer.

A milestone is a fact that never changes, because a position is never used again and records
leave a log at its end, or all at once. A writer that removes the first records of a log and keeps
later ones must remove its milestones in the same commit (`Remove(log.beside("turns").name)`).
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

from turnlog.changes import Append, Change, Check
from turnlog.conversation.turns.current import open_turn_on
from turnlog.errors import Conflict, FileReplaced
from turnlog.items.json import decode, encode
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["SPACING", "Before", "Milestone", "Milestones", "is_chosen"]

#: The most records in a row without a milestone, where milestones are laid.
SPACING = 64

_logger = logging.getLogger(__name__)


class Before(NamedTuple):
    """Counts of what comes before a record of a log."""

    turns: int
    records: int


class Milestone(NamedTuple):
    """A record of a log, and what comes before it."""

    position: int
    before: Before


class Milestones:
    """The milestones of `log`, in a log of their own beside it."""

    def __init__(self, store: Store, log: Log) -> None:
        self._store = store
        self._branch = log
        self._log = log.beside("turns")
        self._found: list[Milestone] = []  # those that were read, the newest first
        self._before: int | None = None  # where to read on
        self._wanted = 1
        self._is_all = False

    async def newest_in(self, positions: Sequence[int]) -> tuple[int, Before] | None:
        """The last record with a milestone among those at `positions`: its index, what it says.

        positions: of records in a row, ascending. None if no milestone was found.
        """
        at = 0
        while positions and (at < len(self._found) or await self._read_on()):
            position, before = self._found[at]
            if position < positions[0]:
                return None
            place = bisect_left(positions, position)
            if place < len(positions) and positions[place] == position:
                return place, before
            at += 1  # its record is gone, or comes later
        return None

    async def behind(self, turn: int) -> int | None:
        """The position of a milestone behind the start of `turn`, the first that is found.

        The record there may be gone. None if there is no milestone behind it.
        """
        at, best = 0, None
        while at < len(self._found) or await self._read_on():
            position, before = self._found[at]
            if before.turns < turn:
                break
            # An older milestone at a later position is one whose record was popped.
            best = position if best is None else min(best, position)
            at += 1
        return best

    async def lay(self, milestones: Sequence[Milestone], end: int) -> None:
        """Store `milestones`: with the next write of the turn that the running task belongs to.

        end: the position at which the log ended when they were counted. Outside of a
            turn, nothing is stored if it ends elsewhere by now, and an error of the store is
            logged and not raised.
        """
        if not milestones:
            return
        change = Append(self._log.name, [*map(_payload, milestones)])
        turn = open_turn_on(self._store, self._branch)
        if turn is None:
            await self._commit(change, end)
        elif all(other.log != change.log for other in turn.extra_changes):
            turn.extra_changes.append(change)

    async def _commit(self, change: Append, end: int) -> None:
        # Without the condition, it could make a conversation anew that was deleted meanwhile.
        changes: list[Change] = [Check(self._branch.name, end), change]
        try:
            await self._store.commit(self._log.session, changes)
        except Conflict:
            pass  # there are newer records, whose writers may lay milestones
        except Exception as error:  # noqa: BLE001 - it is logged; without it, reads take longer
            self.failed(error)

    def failed(self, error: Exception) -> None:
        """Log that milestones could not be laid, with the kind of the error only.

        `FileReplaced` is raised again: it concerns what the caller has stored, and the next call,
        which uses the file that is there then, doesn't tell it.
        """
        if isinstance(error, FileReplaced):
            raise error
        session, branch = self._branch
        what = "session %r, branch %r: its turns could not be counted for later reads: %s"
        _logger.warning(what, session, branch, type(error).__name__)

    async def _read_on(self) -> bool:
        """Read older milestones; whether there are more that can be read."""
        known = len(self._found)
        while len(self._found) == known and not self._is_all:
            records = await self._store.read(self._log, before=self._before, limit=self._wanted)
            self._is_all = len(records) < self._wanted
            self._wanted *= 4
            if records:
                self._before = records.positions[0]
            read = map(_milestone, reversed(records.payloads))
            self._found += [milestone for milestone in read if milestone is not None]
        return len(self._found) > known


def is_chosen(position: int, one_of: int) -> bool:
    """Whether a milestone is laid at `position`: at about one of `one_of` positions, always the
    same ones.
    """
    # Not each n-th position: some writers only ever write an even number of records.
    return crc32(position.to_bytes(8, "big")) % one_of == 0


def _payload(milestone: Milestone) -> bytes:
    position, (turns, records) = milestone
    return encode({"position": position, "turn": turns, "records": records})


def _milestone(payload: bytes) -> Milestone | None:
    """The milestone in `payload`; None if it can't be read, as if it were not there."""
    try:
        found = decode(payload)
        before = Before(int(found["turn"]), int(found["records"]))
        return Milestone(int(found["position"]), before)
    except (ValueError, TypeError, KeyError):
        return None
