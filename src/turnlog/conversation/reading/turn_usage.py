"""Usage by turn: which turn an entry belongs to, and what was spent on some turns."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.conversation.reading.turn_index import StoredTurn
from turnlog.conversation.usage.entries import Entry, entries_in, is_same_time
from turnlog.conversation.usage.usage import Usage
from turnlog.records import Log, Record
from turnlog.store import Store

__all__ = ["Places", "newest_entries", "usage_of_turns"]

# Records of older turns in a row, after which nothing is expected of newer ones.
_ENOUGH = 32


class Places:
    """Some turns of one branch, to find the one that a usage entry belongs to."""

    def __init__(self, turns: Sequence[StoredTurn]) -> None:
        self._by_position = {turn.position: turn.number for turn in turns if turn.number}
        self._by_ordinal = {turn.ordinal: turn for turn in turns if turn.number}
        self._first = min(turns, key=lambda turn: turn.number, default=None)

    def number_of(self, entry: Entry) -> int | None:
        """The number of the turn that `entry` belongs to; None if it is none of these.

        0: it belongs to no question.
        """
        if entry.copied_from is None:
            return self._by_position.get(entry.position) if entry.position else 0
        ordinal, asked_at = entry.copied_from
        turn = self._by_ordinal.get(ordinal)
        return turn.number if turn and is_same_time(turn.created_at, asked_at) else None

    def is_older(self, record: Record, entry: Entry) -> bool:
        """Whether `entry` is of a turn before these, and was stored before the first of them."""
        first = self._first
        if first is None or first.number == 0 or record.created_at > first.created_at:
            return False
        if entry.copied_from is not None:
            return entry.copied_from[0] < first.ordinal
        return entry.position < first.position


async def usage_of_turns(store: Store, log: Log, turns: Sequence[StoredTurn]) -> dict[int, Usage]:
    """The usage of each of `turns`, by number; that of turns which are not in it is zero.

    turns: some turns in a row of the branch `log`. The records of usage are read from the newest
        one back, as far as these turns need.
    """
    if not turns:
        return {}
    wanted = {turn.number for turn in turns}
    places = Places(turns)
    spent: dict[int, Usage] = {}
    for entry in await newest_entries(store, log, turns):
        number = places.number_of(entry)
        if number is not None and number in wanted:
            spent[number] = spent.get(number, Usage()) + entry.usage
    return spent


async def newest_entries(store: Store, log: Log, turns: Sequence[StoredTurn]) -> list[Entry]:
    """The last entry of each run, read back as far as `turns` of the branch `log` need."""
    usage, places = log.beside("usage"), Places(turns)
    last: dict[str, Entry] = {}
    older, before, limit = 0, None, 2 * len(turns) + _ENOUGH
    while True:
        records = await store.read(usage, before=before, limit=limit)
        for record, entry in entries_in(reversed(list(records)), usage):
            last.setdefault(entry.run, entry)
            older = older + 1 if places.is_older(record, entry) else 0
        if len(records) < limit or older >= _ENOUGH:
            return list(last.values())
        before, limit = records.positions[0], 2 * limit
