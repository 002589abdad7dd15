"""Compacting: what a summary would cover, and the commit that stores it.

Nothing of the branch changes. The commit makes sure that the last record that is covered is still
there, and that no other summary was stored meanwhile; what others append meanwhile lies behind it
and stays visible.
"""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace

from turnlog.changes import Append, Remove, Replace
from turnlog.conversation.compaction.cutting import cut
from turnlog.conversation.compaction.length import check_shorter
from turnlog.conversation.compaction.summariser import Summariser, asked, said
from turnlog.conversation.opened import items_of
from turnlog.conversation.summaries.outcome import CompactionResult
from turnlog.conversation.summaries.reading import valid
from turnlog.conversation.summaries.record import Summary, summaries_of
from turnlog.conversation.turns.claims import Claims
from turnlog.conversation.turns.current import open_turn_on
from turnlog.conversation.turns.duration import LEASE_SECONDS
from turnlog.conversation.turns.endings import Endings
from turnlog.conversation.turns.writing import write_to
from turnlog.errors import Conflict
from turnlog.items.json import Item, copied
from turnlog.items.repair import repair
from turnlog.items.tokens import TokenCounter
from turnlog.items.turns import turn_starts
from turnlog.records import Log, Records, Unopened
from turnlog.store import Store

__all__ = ["Planned", "dropped", "planned"]


@dataclass(frozen=True)
class Planned:
    """A compaction that is yet to be made.

    items: what the summary is to stand for, as a model would be shown it.
    payload: of the last record that is covered, as stored.
    end: where the log of summaries ends.
    """

    log: Log
    result: CompactionResult
    items: list[Item]
    payload: bytes
    end: int

    async def made(
        self, store: Store, summarise: Summariser, count: TokenCounter
    ) -> CompactionResult | None:
        """Ask for the summary and store it; None if the branch has changed meanwhile.

        Raises what `summarise` raises, and `ModelBehaviorError` if its summary is not shorter than
        what it stands for, as `count` counts tokens; nothing has changed then.
        """
        answer = said(await asked(summarise, copied(self.items)))
        check_shorter(answer.items, self.items, count)
        items = [*answer.items]
        result = replace(
            self.result, items=items, model=answer.model, usage=answer.usage, is_stored=True
        )
        return result if await self._stored(store, result) else None

    async def _stored(self, store: Store, made: CompactionResult) -> bool:
        summary = Summary(
            made.covers, made.items, made.covered, made.turns, made.model, made.usage, time.time()
        )
        is_there = Replace(self.log.name, [made.covers], [self.payload], [self.payload])
        change = Append(summaries_of(self.log).name, [summary.payload()], expect=self.end)
        try:
            await write_to(store, self.log, [is_there, change], retried=True)
        except Conflict as conflict:
            if conflict.log not in (self.log, summaries_of(self.log)):
                raise
            return False
        return True


async def planned(
    store: Store, log: Log, keep: int, *, reads_sealed: bool = False
) -> Planned | None:
    """What a compaction would cover of the branch `log`; None if there is nothing to cover.

    keep: how many of the newest turns stay.
    reads_sealed: whether the summariser can read a summary that a provider has sealed; else it gets
        the records that this one covers.
    """
    summary, end, records = await _uncovered(store, log, reads_sealed=reads_sealed)
    decoded = items_of(log, records)
    ended = bisect_right(records.positions, await Endings(store, log).newest())
    open_from = await _open_from(store, log, records)
    count = cut(decoded, keep, ended=ended, open_from=open_from)
    if count == 0 or isinstance(records.payloads[count - 1], Unopened):
        return None
    before = summary or Summary(0, [])
    result = CompactionResult(
        records.positions[count - 1],
        before.covered + count,
        before.turns + len(turn_starts(decoded[:count])),
        count,
    )
    items = [*before.items, *(item for item in decoded[:count] if item is not None)]
    return Planned(log, result, repair(items), records.payloads[count - 1], end)


async def _uncovered(
    store: Store, log: Log, *, reads_sealed: bool
) -> tuple[Summary | None, int, Records]:
    """The summary that counts, where the log of summaries ends, and the records behind it."""
    while True:
        summary, end = await valid(store, log, reads_sealed=reads_sealed)
        if summary is None or summary.is_kept:
            return summary, end, await store.read(log, after=summary.covers if summary else 0)
        records = await store.read(log, after=summary.covers - 1)
        # In one read with the others: they follow on what the summary stands for.
        if records and records.positions[0] == summary.covers:
            return summary, end, records[1:]


async def _open_from(store: Store, log: Log, records: Records) -> int | None:
    """The index of the first record whose call a run under way may still answer."""
    turn = open_turn_on(store, log)
    if turn is not None and turn.question is not None:
        return bisect_left(records.positions, await turn.question.position(store, log))
    claim = await Claims(store, log, LEASE_SECONDS).newest()
    is_held = claim is not None and time.time() < claim.until + claim.seconds
    return 0 if is_held else None


async def dropped(store: Store, log: Log) -> bool:
    """Drop the summary of the branch `log` that counts, in one commit; False if there is none."""
    while True:
        summary, end = await valid(store, log)
        if summary is None:
            return False
        name = summaries_of(log)
        change = Remove(name.name, summary.position - 1, expect=end)
        try:
            await write_to(store, log, [Append(log.name, []), change], retried=True)
        except Conflict as conflict:
            if conflict.log != name:
                raise
        else:
            return True
