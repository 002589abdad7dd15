"""Turn index: where the turns of a log begin, read from the end with the help of milestones."""

from __future__ import annotations

from typing import NamedTuple

from turnlog.conversation.reading.log import LogReader
from turnlog.items.json import Item

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
        raise NotImplementedError

    async def start_of(self, number: int) -> int | None:
        """The position of the first record of turn `number`; None if there is no such turn."""
        raise NotImplementedError

    async def count(self) -> int:
        """How many turns the log has."""
        raise NotImplementedError
