"""Reading summaries: those of a branch, newest first, and which one of them counts.

A summary counts if the record that it ends with is still in the branch: a position is never used
again, so nobody has popped or rewound anything that it covers. The newest one that counts is shown.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from turnlog.conversation.opened import check_keyed
from turnlog.conversation.summaries.copies import located
from turnlog.conversation.summaries.record import Mark, Summary, parsed, summaries_of
from turnlog.records import Log, Record, Records
from turnlog.store import Store

__all__ = ["KnownSummaries", "Summaries", "all_summaries", "is_among", "newest_summary", "valid"]

_logger = logging.getLogger(__name__)


class Summaries(NamedTuple):
    """The summaries of a branch, as they were read."""

    #: Newest first; perhaps only the newest.
    found: tuple[Summary, ...] = ()
    #: Where the log of summaries ended; 0 if it was empty.
    end: int = 0


class KnownSummaries:
    """What a handle knows of the summaries of the branch `log`."""

    def __init__(self, log: Log) -> None:
        self.log = log
        #: What it has read last.
        self.last = Summaries()
        #: Whether it has not read any yet.
        self.is_unread = True
        #: Whether they have certainly changed since.
        self.is_outdated = False


async def newest_summary(store: Store, log: Log) -> Summaries:
    """The newest summary of the branch `log`, which may not count any more."""
    records = await store.read(summaries_of(log), limit=1)
    if not records:
        return Summaries()
    for found in _read(records, log):
        if isinstance(found, Summary) and found.copy is None:
            return Summaries((found,), records.positions[-1])
    return await all_summaries(store, log)


async def all_summaries(store: Store, log: Log) -> Summaries:
    """All summaries of the branch `log`, also those that don't count any more."""
    records = await store.read(summaries_of(log))
    read = _read(records, log)
    kept = {each.names for each in read if isinstance(each, Mark)}
    summaries = [
        each._replace(is_kept=each.is_kept or each.position in kept)
        for each in reversed(read)
        if isinstance(each, Summary)
    ]
    found = tuple(await located(store, log, summaries))
    return Summaries(found, records.positions[-1] if records else 0)


async def valid(store: Store, log: Log, *, reads_sealed: bool = True) -> tuple[Summary | None, int]:
    """The summary of the branch `log` that counts, and where the log of summaries ends.

    reads_sealed: also one that a provider has sealed for itself; else an older one counts.
    """
    summaries = await all_summaries(store, log)
    for each in summaries.found:
        if each.is_sealed and not reads_sealed:
            continue
        if each.is_kept or await store.read(log, after=each.covers - 1, before=each.covers + 1):
            return each, summaries.end
    return None, summaries.end


def is_among(position: int, positions: Sequence[int]) -> bool:
    """Whether `position` is one of `positions`, which ascend."""
    place = bisect_left(positions, position)
    return place < len(positions) and positions[place] == position


def _read(records: Records, log: Log) -> list[Summary | Mark]:
    return list(_readable(records, log))


def _readable(records: Sequence[Record], log: Log) -> Iterator[Summary | Mark]:
    """What `records` hold. One that can't be read is logged and left out.

    Raises `Unreadable` for an encrypted one that no layer was asked to open.
    """
    for record in records:
        check_keyed(log, record)
        try:
            yield parsed(record)
        except (ValueError, TypeError, KeyError) as error:
            _logger.warning(
                "session %r, branch %r: summary record %d can't be read and is left out: %s",
                log.session,
                log.name,
                record.position,
                type(error).__name__,
            )
