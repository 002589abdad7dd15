"""Turn index: where the turns of a log begin, read from the end with the help of milestones."""

from __future__ import annotations

from itertools import chain
from typing import NamedTuple

from turnlog.conversation.reading.log import LogReader
from turnlog.items.json import Item
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
        turns = await self._all()
        asked = [turn for turn in turns if before is None or turn.number < before]
        return asked if limit is None else asked[max(0, len(asked) - limit) :]

    async def start_of(self, number: int) -> int | None:
        """The position of the first record of turn `number`; None if there is no such turn."""
        turns = await self._all()
        return turns[number - 1].position if 0 < number <= len(turns) else None

    async def count(self) -> int:
        """How many turns the log has."""
        return len(await self._all())

    async def _all(self) -> list[Turn]:
        page = await self.reader.page()
        positions = page.records
        times = [*chain.from_iterable(page.times)]
        starts = [place for place, item in enumerate(page.decoded) if item and is_question(item)]
        ends = [*starts[1:], len(positions)]
        return [
            Turn(
                number,
                start,
                positions[start],
                positions[end - 1],
                times[start],
                [item for item in page.decoded[start:end] if item is not None],
            )
            for number, (start, end) in enumerate(zip(starts, ends, strict=False), 1)
        ]
