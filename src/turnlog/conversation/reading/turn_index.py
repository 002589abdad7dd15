"""Turn index: where the turns of a log begin, read from the end with the help of milestones."""

from __future__ import annotations

from typing import NamedTuple

from turnlog.conversation.reading.log import LogReader
from turnlog.items.json import Item, decode_all
from turnlog.items.kinds import is_question

__all__ = ["Turn", "TurnIndex"]


class Turn(NamedTuple):
    """One turn of a log.

    number: counted from 1; 0 holds what comes before the first user's message.
    ordinal: how many records come before its first one.
    position: of its first record.
    end: the position of its last record.
    created_at: of its first record.
    items: those that can be decoded.
    """

    number: int
    ordinal: int
    position: int
    end: int
    created_at: float
    items: list[Item]


class TurnIndex:
    """The turns of one log. What it costs depends on what is asked, not on the log's length."""

    def __init__(self, reader: LogReader) -> None:
        self.reader = reader

    async def newest(self, limit: int | None = None, before: int | None = None) -> list[Turn]:
        """The newest `limit` turns with a number below `before`, oldest first; None: all."""
        records = await self.reader.store.read(self.reader.log)
        items = decode_all(records.payloads)
        starts = [at for at, item in enumerate(items) if item and is_question(item)]
        if records and (not starts or starts[0] > 0):
            bounds = [0, *starts]
            first = 0
        else:
            bounds, first = starts, 1
        ends = [*bounds[1:], len(items)]
        turns = [
            Turn(
                n,
                start,
                records.positions[start],
                records.positions[end - 1],
                records.times[start],
                [item for item in items[start:end] if item is not None],
            )
            for n, (start, end) in enumerate(zip(bounds, ends, strict=False), first)
            if before is None or n < before
        ]
        return turns if limit is None else turns[max(0, len(turns) - limit) :]

    async def start_of(self, number: int) -> int | None:
        """The position of the first record of turn `number`; None if there is no such turn."""
        found = [turn.position for turn in await self.newest() if turn.number == number]
        return found[0] if found else None

    async def count(self) -> int:
        """How many turns the log has."""
        return len([turn for turn in await self.newest() if turn.number > 0])
