"""Lists of turns: number, position, text, time, length and usage of each."""

from __future__ import annotations

from dataclasses import dataclass

from turnlog.conversation.handle import Handle
from turnlog.conversation.reading.turn_index import StoredTurn, TurnIndex
from turnlog.conversation.reading.turn_usage import usage_of_turns
from turnlog.conversation.usage.usage import Usage
from turnlog.items.given import check_int_or_none
from turnlog.items.text import joined_text

__all__ = ["TurnInfo", "TurnLists"]


@dataclass(frozen=True)
class TurnInfo:
    """One turn of a branch.

    number: counted from 1, as they stand in the branch now.
    position: of its first record.
    text: of the user's message.
    created_at: when that was stored, in seconds since the epoch.
    items: how many items the turn has.
    usage: what its runs have spent, as far as it was recorded.
    """

    number: int
    position: int
    text: str
    created_at: float
    items: int
    usage: Usage


class TurnLists(Handle):
    """The method of a session that lists its turns."""

    async def turns(self, limit: int | None = None, before: int | None = None) -> list[TurnInfo]:
        """The newest `limit` turns with a number below `before`, oldest first.

        limit: None means all, and so does no `before`.

        A turn begins with a user's message. What comes before the first one belongs to no turn.
        They are the turns as stored, also in a class that overrides `get_items`.
        The newest turns of a long conversation are told as quickly as those of a short one.

        Raises `TypeError` for a limit or a number that is no int, `ValueError` for a negative
        limit.
        """
        check_int_or_none("limit", limit)
        check_int_or_none("before", before)
        if limit is not None and limit < 0:
            raise ValueError(f"limit must not be negative, and is {limit}: leave it out for all")
        log = self._log()
        turns = await TurnIndex(self._reader_of(log)).newest(limit, before)
        usage = await usage_of_turns(self.store, log, turns)
        return [_info(turn, usage.get(turn.number, Usage())) for turn in turns]


def _info(turn: StoredTurn, usage: Usage) -> TurnInfo:
    text = joined_text(turn.items[0].get("content"))
    return TurnInfo(turn.number, turn.position, text, turn.created_at, len(turn.items), usage)
