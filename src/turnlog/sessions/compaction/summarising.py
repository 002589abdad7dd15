"""Summaries over our sessions: a compaction appends one, and nothing of the branch changes."""

from __future__ import annotations

import time
from bisect import bisect_right
from dataclasses import dataclass

from turnlog.changes import Append, Replace
from turnlog.conversation.compaction.cutting import cut
from turnlog.conversation.held.current import block_on
from turnlog.conversation.reading.tail import Tail
from turnlog.conversation.reading.view import View
from turnlog.conversation.session import StoredSession
from turnlog.conversation.summaries.reading import valid
from turnlog.conversation.summaries.record import Summary, summaries_of
from turnlog.conversation.turns.claims import Claims
from turnlog.conversation.turns.current import open_turn_on
from turnlog.conversation.turns.duration import LEASE_SECONDS
from turnlog.conversation.turns.endings import Endings
from turnlog.conversation.turns.writing import write_to
from turnlog.errors import Conflict
from turnlog.items.json import Item, decode_all
from turnlog.items.turns import turn_starts
from turnlog.records import Log, Records, Unopened
from turnlog.store import Store

__all__ = ["MOST_KEPT", "ShownBranch", "appends_to", "end_of", "newest_shown", "read_shown"]

#: So many items at most, of those that no compaction was to cover, are kept in a summary as they
#: are: it stands for the beginning of a conversation, so they have to come first in it.
MOST_KEPT = 1000


def appends_to(session: object) -> StoredSession | None:
    """`session` if it is one of ours that shows its log as it is, so that it takes summaries."""
    if not isinstance(session, StoredSession):
        return None
    names = ("get_items", "add_items")
    return None if any(map(session._is_overridden, names)) else session  # noqa: SLF001 - ours


async def end_of(session: StoredSession) -> int:
    """The position of the last record of `session`; 0 if there is none."""
    newest = await session.store.read(session._log(), limit=1)  # noqa: SLF001 - ours
    return newest.positions[-1] if newest else 0


async def newest_shown(session: StoredSession, limit: int | None) -> list[Item]:
    """The newest `limit` items that `session` shows: those of a summary come before the rest.

    limit: None means the bounds in its settings; a negative number, all that it shows.
    """
    log = session._log()  # noqa: SLF001 - ours
    block = block_on(session.store, log)
    if block is not None and block.hides:
        return await session._shown_in(block, log, limit)  # noqa: SLF001 - ours
    return await _newest_of(session._compacted_tail(log), session, limit)  # noqa: SLF001 - ours


async def _newest_of(tail: Tail, session: StoredSession, limit: int | None) -> list[Item]:
    """The same of `tail`, which is that of `session` or the beginning of it."""
    settings = session.session_settings
    if limit is None and settings.has_windows:
        return await (await View.of(tail, settings, compaction="keep")).shown()
    most = settings.limit if limit is None else limit
    if most is None or (most < 0 and session._negative_limit_means_all):  # noqa: SLF001 - ours
        await tail.all()
        return [*tail.front, *tail.items]
    if most <= 0:
        return []
    await tail.until(lambda items: len(items) >= most, most)
    return [*tail.front, *tail.items][-most:]


class _WholeTail(Tail):
    """What a branch shows, all of which was read before.

    turns: how many turns come before `items`.
    """

    def __init__(self, front: list[Item], items: list[Item], turns: int) -> None:
        super().__init__(is_nested=False)
        self.front, self.items, self.is_whole = front, items, True
        self._turns = turns

    async def grow(self, count: int | None) -> None:
        """There is no more."""

    async def turns_before(self) -> int:
        return self._turns


@dataclass(frozen=True)
class ShownBranch:
    """What a branch shows: the items of a summary and of the records behind it.

    before: the summary that counts, the first of its items; with none of any if there is none.
    items: oldest first.
    covers: the position of the last record; 0 if there is none.
    payload: of that record; None if it is not there any more.
    end: where the log of summaries ends.
    is_in_use: whether a run is under way, whose turn is left out as far as it can be told.
    covered, turns: how many records a summary of all of this covers, and turns that begin in them.
    """

    session: StoredSession
    log: Log
    before: Summary
    items: list[Item]
    covers: int
    payload: bytes | None
    end: int
    covered: int
    turns: int
    is_in_use: bool

    async def shown(self) -> list[Item]:
        """What `get_items()` of the session shows of it."""
        front = self.before.items
        tail = _WholeTail(front, self.items[len(front) :], self.before.turns)
        return await _newest_of(tail, self.session, None)

    async def is_current(self) -> bool:
        """Whether the branch still ends where it did."""
        return await end_of(self.session) == self.covers

    async def summarise(self, items: list[Item], model: str, usage: Item | None) -> bool:
        """Have `items` stand for all of it; False, with nothing done, if it has changed since.

        What was added since stays visible behind them.
        """
        if self.payload is None or isinstance(self.payload, Unopened):
            return False
        summary = Summary(self.covers, items, self.covered, self.turns, model, usage, time.time())
        is_there = Replace(self.log.name, [self.covers], [self.payload], [self.payload])
        change = Append(summaries_of(self.log).name, [summary.payload()], expect=self.end)
        try:
            await write_to(self.session.store, self.log, [is_there, change], retried=True)
        except Conflict as conflict:
            if conflict.log not in (self.log, summaries_of(self.log)):
                raise
            return False
        finally:
            self.session._forget_summaries()  # noqa: SLF001 - ours
        return True


async def read_shown(session: StoredSession, most: int | None = None) -> ShownBranch | None:
    """What `session` shows now, up to the turn of a run that is under way.

    most: None is returned if there are more records than these.
    """
    store, log = session.store, session._log()  # noqa: SLF001 - ours
    before, end, records = await _read(store, log, None if most is None else most + 2)
    if most is not None and len(records) > most + 1:
        return None
    is_in_use = await _is_in_use(store, log)
    if is_in_use:
        records = await _settled(store, log, records)
    fresh = records[bisect_right(records.positions, before.covers) :]
    decoded = decode_all(fresh.payloads)
    return ShownBranch(
        session,
        log,
        before,
        [*before.items, *(item for item in decoded if item is not None)],
        records.positions[-1] if records else before.covers,
        records.payloads[-1] if records else None,
        end,
        before.covered + len(fresh),
        before.turns + len(turn_starts(decoded)),
        is_in_use,
    )


async def _read(store: Store, log: Log, limit: int | None) -> tuple[Summary, int, Records]:
    """The summary that counts, the end of the log of summaries, and the newest `limit` records.

    They begin with the last one that the summary covers, if that is there.
    """
    while True:
        summary, end = await valid(store, log)
        if summary is None:
            return Summary(0, []), end, await store.read(log, limit=limit)
        records = await store.read(log, after=summary.covers - 1, limit=limit)
        is_cut = limit is not None and len(records) == limit
        # In one read with the others: they follow on what the summary stands for.
        if summary.is_kept or is_cut or (records and records.positions[0] == summary.covers):
            return summary, end, records


async def _is_in_use(store: Store, log: Log) -> bool:
    """Whether a run is under way."""
    claim = await Claims(store, log, LEASE_SECONDS).newest()
    is_held = claim is not None and time.time() < claim.until + claim.seconds
    return is_held or open_turn_on(store, log) is not None


async def _settled(store: Store, log: Log, records: Records) -> Records:
    """`records` without the turn of a run that is under way, which is still to be continued."""
    ended = bisect_right(records.positions, await Endings(store, log).newest())
    return records[: cut(decode_all(records.payloads), 0, ended=ended, open_from=0)]
