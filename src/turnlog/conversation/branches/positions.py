"""Positions as arguments: told apart from turn numbers by their type, and checked."""

from __future__ import annotations

from typing import NamedTuple

from turnlog.conversation.deletion import check_not_deleted
from turnlog.conversation.opened import items_of
from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.reading.turn_index import TurnIndex
from turnlog.errors import NoSuchRecord, NoSuchTurn
from turnlog.items.given import check_int
from turnlog.items.kinds import is_question

__all__ = ["Position", "checked_position", "end_before_turn"]


class Position(NamedTuple):
    """The position of a record, where a plain number would mean a turn."""

    position: int


async def checked_position(reader: LogReader, position: object) -> int:
    """`position`, if a record stands there, or if it is 0, before all records.

    Raises `NoSuchRecord` otherwise, and `BranchDeleted` if that is why.
    """
    at = check_int("position", position, 0)
    if at and not await reader.store.read(reader.log, after=at - 1, before=at + 1):
        await check_not_deleted(reader.store, reader.log)
        raise NoSuchRecord(reader.log, at)
    return at


async def end_before_turn(reader: LogReader, turn: object) -> int:
    """A position behind which turn number `turn` and all later ones lie.

    Raises `NoSuchTurn` if the branch has no such turn, and `BranchDeleted` if that is why.
    """
    number = check_int("turn", turn, 0)
    if number == 0 and await _begins_before_turns(reader):
        return 0
    start = await TurnIndex(reader).start_of(number) if number else None
    if start is None:
        await check_not_deleted(reader.store, reader.log)
        raise NoSuchTurn(reader.log, number)
    return start - 1


async def _begins_before_turns(reader: LogReader) -> bool:
    """Whether anything comes before the first user's message."""
    records = await reader.store.read(reader.log, limit=1, oldest=True)
    first = items_of(reader.log, records)
    return bool(first) and (first[0] is None or not is_question(first[0]))
