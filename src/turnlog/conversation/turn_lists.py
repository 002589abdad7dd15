"""Lists of turns: number, position, text, time, length and usage of each."""

from __future__ import annotations

from dataclasses import dataclass

from turnlog.conversation.handle import Handle
from turnlog.conversation.usage import Usage

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
    """What a session can tell of its turns."""

    async def turns(self, limit: int | None = None, before: int | None = None) -> list[TurnInfo]:
        """The newest `limit` turns with a number below `before`, oldest first."""
        raise NotImplementedError
