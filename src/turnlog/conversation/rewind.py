"""Rewinding: dropping the newest part of a branch, in one commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from turnlog.changes import Change, Remove
from turnlog.conversation.branches import Fork, OnBranch, S, forked
from turnlog.conversation.deletion import written
from turnlog.conversation.positions import (
    Position,
    checked_number,
    checked_position,
    end_before_turn,
)
from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.reading.turn_index import TurnIndex
from turnlog.conversation.turns.holding import open_turn_on
from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["Target", "rewound"]


class Target(NamedTuple):
    """Where to rewind to; exactly one of the three."""

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
            return _seen(reader, await end_before_turn(reader, self.turn), last)
        if self.turns is not None:
            count = checked_number("turns", self.turns, 1)
            newest = [turn for turn in await TurnIndex(reader).newest(count) if turn.number > 0]
            return _seen(reader, newest[0].position - 1, last) if newest else last
        at = self.position
        return await checked_position(reader, at.position if isinstance(at, Position) else at)


def _seen(reader: LogReader, end: int, last: int) -> int:
    if end >= last:
        raise Conflict(reader.log, last, end + 1)
    return end


async def rewound(session: OnBranch, reader: LogReader, target: Target, keep_as: str | None) -> int:
    """Drop what lies behind `target`, if nobody writes meanwhile.

    keep_as: the name of a branch that is forked in the same commit and keeps all.

    Returns how many records were dropped. Raises `Conflict` if the branch has changed since it
    was read; nothing is written then.
    """
    target.check()
    log = reader.log
    newest = await reader.store.read(log, limit=1)
    last = newest.positions[-1] if newest else 0
    end = await target.end(reader, last)
    dropped = len(await reader.store.read(log, after=end, before=last + 1)) if end < last else 0
    cut = _Cut(session.store, log, end, last)
    if keep_as is not None:
        await forked(session, keep_as, last, make=cut.make_with)
    elif dropped:
        await cut.make()
    return dropped


class _Cut(NamedTuple):
    """Removes the records behind `end` from a log that ends at `last`."""

    store: Store
    log: Log
    end: int
    last: int

    async def make_with(self, planned: Fork[S], changes: Sequence[Change]) -> None:  # noqa: ARG002
        """Remove them and make a fork, in one commit."""
        await self.make(changes)

    async def make(self, beside: Sequence[Change] = ()) -> None:
        """Remove them, and make further changes in the same commit."""
        changes = [Remove(self.log.name, self.end, expect=self.last), *beside]
        turn = open_turn_on(self.store, self.log)
        if turn is None:
            await written(self.store, self.log, changes)
        else:
            await turn.write(changes, self.store)
