"""Replacement: the two methods by which the SDK's compaction wrapper replaces stored items.

`OpenAIResponsesCompactionSession` of the OpenAI Agents SDK looks for them on the session that it
wraps. Without them it clears the session and adds the summary, in two steps.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from turnlog.changes import Append, Change, Forget, Remove
from turnlog.conversation.handle import Handle
from turnlog.conversation.opened import check_opened, items_of
from turnlog.conversation.reading.known_records import KnownRecords
from turnlog.conversation.summaries.record import summaries_of
from turnlog.conversation.turns.endings import mark_first, pinned
from turnlog.conversation.turns.writing import write_to
from turnlog.errors import Conflict
from turnlog.items.json import Item, TResponseInputItem, encode_all
from turnlog.items.turns import is_answered
from turnlog.records import Log, Records
from turnlog.store import Store

__all__ = ["Replaceable", "Snapshot"]

#: How many records are looked at together when those that have expired are removed.
_PAGE = 100


@dataclass(frozen=True)
class Snapshot:
    """The newest items of a branch, and a function that replaces the last ones of them.

    items: oldest first.
    complete: whether the branch has no older records.
    replace_suffix: takes the index of the first item to replace, and the new items. It returns
        False and does nothing if the branch was written to since the snapshot.
    """

    items: list[TResponseInputItem]
    complete: bool
    replace_suffix: Callable[[int, list[TResponseInputItem]], Awaitable[bool]]


class Replaceable(Handle):
    """The methods of a session that the SDK's compaction wrapper calls.

    A replacement is one commit, on condition that the branch still ends where it was read.
    Other branches, the title and usage stay as they are.
    """

    async def _get_compaction_snapshot(
        self, limit: int, *, prune_prefix: Callable[[TResponseInputItem], bool] | None = None
    ) -> Snapshot | None:
        """The newest `limit` items, or those behind the newest record that can't be decoded.

        So that record is never replaced, and stays stored.

        prune_prefix: says of an item whether it has expired. After a replacement, the oldest
            items of the branch are removed as long as this is so.

        None in a class that overrides `get_items` or `add_items`: there, what is stored is not
        what the wrapper reads.
        """
        if self._is_overridden("get_items") or self._is_overridden("add_items"):
            return None
        log = self._log()
        records = await self.store.read(log, limit=limit + 1)
        found = records[max(0, len(records) - limit) :]
        decoded = items_of(log, found)
        first = len(decoded) - decoded[::-1].index(None) if None in decoded else 0
        items = [item for item in decoded[first:] if item is not None]
        complete = first == 0 and len(records) <= limit
        suffix = _Suffix(self.store, log, found[first:], items, complete=complete)

        async def replace_suffix(start: int, output: list[TResponseInputItem]) -> bool:
            done = await suffix.replace(start, output)
            if done and prune_prefix is not None:
                await suffix.prune(start, prune_prefix)
            return done

        return Snapshot(items, complete, replace_suffix)

    async def _atomic_replace_items(self, items: list[TResponseInputItem]) -> bool:
        """Replace what this session has read and written on its branch by `items`.

        What others added since its last full read, and records that can't be decoded, stay and
        come behind `items`. Raises `Conflict` if what it has read was removed meanwhile; nothing
        is written then. Raises `Unreadable` if one that would come behind `items` could not be
        opened by a layer: put there anew, it would look like a record of this session's.

        False, with nothing done, in a class that overrides `add_items` or `clear_session`.
        """
        if self._is_overridden("add_items") or self._is_overridden("clear_session"):
            return False
        log, payloads = self._log(), encode_all(items)
        while True:
            records = await self.store.read(log)
            try:
                await self._replace_known(log, records, payloads)
            except Conflict as conflict:
                if conflict.log != log or conflict.actual == _end_of(records):
                    raise
            else:
                return True

    async def _replace_known(self, log: Log, records: Records, payloads: list[bytes]) -> None:
        others = self._added_by_others(log, records)
        decoded = list(enumerate(items_of(log, records)))
        kept = [at for at, item in decoded if item is None or at in others]
        check_opened(log, Records.of([records[at] for at in kept]))
        replaced = [item for at, item in decoded if item is not None and at not in others]
        change = Append(
            log.name,
            [*payloads, *(records.payloads[at] for at in kept)],
            expect=_end_of(records),
            cut=0,
            times=[None] * len(payloads) + [records.times[at] for at in kept],
        )
        over = [*_over(log, replaced, len(payloads)), Forget(summaries_of(log).name)]
        end = await write_to(self.store, log, [change, *over], retried=True)
        await pinned(self.store, log, over)
        behind = await self.store.read(log, before=end + 1, limit=len(kept) + 1)
        last = behind.positions[0] if len(behind) > len(kept) else 0
        self._known_records = KnownRecords(log, last)

    def _added_by_others(self, log: Log, records: Records) -> set[int]:
        """The indexes of those `records`, all of `log`, that this session does not know.

        Raises `Conflict` if what it has read was removed.
        """
        known = self._known_records
        if known is None or known.log != log:
            return set()
        if known.is_gone(records):
            raise Conflict(log, known.end, _end_of(records))
        return known.unknown(records)


class _Suffix:
    """The newest records of a log, as a snapshot has read them."""

    def __init__(
        self, store: Store, log: Log, records: Records, items: list[Item], *, complete: bool
    ) -> None:
        self._store = store
        self._log = log
        self._positions = list(records.positions)
        self._items = items
        self._complete = complete

    async def replace(self, start: int, output: list[TResponseInputItem]) -> bool:
        """Replace the items from index `start` on; False if the log has changed since."""
        if start >= len(self._positions):
            return False
        payloads = encode_all(output)
        first, end = self._positions[start], self._positions[-1]
        change = Append(self._log.name, payloads, expect=end, cut=first - 1)
        over = _over(self._log, self._items[start:], start + len(payloads))
        over = over if self._complete else []
        if self._complete and start == 0:
            over.append(Forget(summaries_of(self._log).name))
        try:
            await write_to(self._store, self._log, [change, *over], retried=True)
        except Conflict as conflict:
            if conflict.log != self._log:
                raise
            return False
        await pinned(self._store, self._log, over)
        return True

    async def prune(self, start: int, is_expired: Callable[[TResponseInputItem], bool]) -> None:
        """Remove the oldest records of the log, up to the first whose item has not expired.

        None from index `start` on, which were replaced.
        """
        before, after = self._positions[start], 0
        while records := await self._store.read(
            self._log, after=after, before=before, limit=_PAGE, oldest=True
        ):
            decoded = items_of(self._log, records)
            expired = list(takewhile(lambda item: item is not None and is_expired(item), decoded))
            if expired:
                after = records.positions[len(expired) - 1]
            if len(expired) < len(records):
                break
        if after:
            await write_to(self._store, self._log, [Remove(self._log.name, before=after + 1)])


def _over(log: Log, replaced: Sequence[Item], count: int) -> list[Change]:
    """What else changes when `replaced` go and the log then begins with `count` records.

    A summary does not show whether the last turn was answered, so this is marked.
    """
    return [mark_first(log, count)] if is_answered(replaced) else []


def _end_of(records: Records) -> int:
    return records.positions[-1] if records else 0
