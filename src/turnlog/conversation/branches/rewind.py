"""Rewinding: dropping the newest part of a branch, in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from turnlog.changes import Change, Forget, Remove
from turnlog.conversation.branches.forks import forked
from turnlog.conversation.branches.positions import (
    Position,
    checked_position,
    end_before_turn,
)
from turnlog.conversation.deletion import check_not_deleted
from turnlog.conversation.opened import check_opened, items_of
from turnlog.conversation.protocol import OnBranch
from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.reading.turn_index import TurnIndex
from turnlog.conversation.summaries.record import summaries_of
from turnlog.conversation.turns.writing import write_to
from turnlog.errors import Conflict
from turnlog.items.given import check_int
from turnlog.records import Log, Records
from turnlog.store import Store

__all__ = ["Rewind", "Target", "planned_rewind", "rewound"]


class Target(NamedTuple):
    """The end of a branch after a rewind; exactly one of the three."""

    turn: int | None = None
    turns: int | None = None
    position: int | Position | None = None

    def check(self) -> None:
        """Raise `ValueError` unless exactly one is given."""
        given = [name for name, value in self._asdict().items() if value is not None]
        if len(given) != 1:
            raise ValueError(
                f"rewind takes exactly one of turn=, turns= and position=, not "
                f"{' and '.join(given) or 'none'}: turn=3 drops turn 3 and all behind it, turns=1 "
                f"the newest turn, position=p what lies behind position p"
            )

    async def end(self, reader: LogReader, last: int) -> int:
        """The position behind which all is dropped.

        last: of the newest record. Raises `Conflict` if what goes was stored since.
        """
        if self.turn is not None:
            return _checked_end(reader, await end_before_turn(reader, self.turn), last)
        if self.turns is not None:
            count = check_int("turns", self.turns, 1)
            newest = [turn for turn in await TurnIndex(reader).newest(count) if turn.number > 0]
            return _checked_end(reader, newest[0].position - 1, last) if newest else last
        at = self.position
        return await checked_position(reader, at.position if isinstance(at, Position) else at)

    def check_dropped(self, log: Log, dropped: Records) -> None:
        """Raise `Unreadable` if a record that could not be opened was not named by the caller.

        One that is encrypted, without a layer that opens it, is never dropped.
        """
        if self.position is None:
            check_opened(log, dropped)
        else:
            items_of(log, dropped)


def _checked_end(reader: LogReader, end: int, last: int) -> int:
    if end >= last:
        raise Conflict(reader.log, last, end + 1)
    return end


async def rewound(session: OnBranch, reader: LogReader, target: Target, keep_as: str | None) -> int:
    """Drop what lies behind `target`, if nobody writes meanwhile.

    keep_as: the name of a branch that is forked in the same commit and keeps all.

    Returns how many records were dropped. Raises `Conflict` if the branch has changed since it
    was read; nothing is written then.
    """
    rewind = await planned_rewind(reader, target)
    await rewind.make(session, keep_as)
    return len(rewind.dropped)


async def planned_rewind(reader: LogReader, target: Target) -> Rewind:
    """Read what a rewind to `target` drops, and drop nothing yet."""
    target.check()
    newest = await reader.store.read(reader.log, limit=1)
    if not newest:
        await check_not_deleted(reader.store, reader.log)
    last = newest.positions[-1] if newest else 0
    end = await target.end(reader, last)
    dropped = await reader.store.read(reader.log, after=end, before=max(end, last) + 1)
    target.check_dropped(reader.log, dropped)
    return Rewind(reader.log, end, last, dropped)


class Rewind(NamedTuple):
    """A rewind that is yet to be made: of a log that ends at `last`, back to `end`.

    dropped: the records that go.
    """

    log: Log
    end: int
    last: int
    dropped: Records

    async def make(self, session: OnBranch, keep_as: str | None = None) -> None:
        """Drop them, and keep all on a new branch `keep_as`, in one commit.

        Raises `Conflict` if the log has changed since it was read; nothing is written then.
        """
        if keep_as is not None:
            make = partial(self._commit, session.store)
            await forked(session, keep_as, self.last, make=make)
        elif self.dropped:
            await self._commit(session.store)

    async def _commit(self, store: Store, beside: Sequence[Change] = ()) -> None:
        forgotten = [] if self.end else [Forget(summaries_of(self.log).name)]
        changes = [Remove(self.log.name, self.end, expect=self.last), *forgotten, *beside]
        await write_to(store, self.log, changes, retried=True)
