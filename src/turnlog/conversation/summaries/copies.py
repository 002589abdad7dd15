"""Copied summaries: what a fork takes along of the summaries of the branch that it copies.

The positions of a new branch are known only after the commit that makes it. So a copied summary
names the record that it ends with by its index, with a digest of the payloads up to there: as long
as the branch begins with these payloads, the summary counts. `pinned` then writes the position in
its place, so that this need not be looked at again.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from contextlib import suppress
from hashlib import sha256

from turnlog.changes import Append, Change, Replace
from turnlog.conversation.deletion import commit_unless_deleted
from turnlog.conversation.summaries.record import Copy, Summary, parsed, summaries_of
from turnlog.errors import Conflict, FileReplaced
from turnlog.records import Log, Record, Records
from turnlog.store import Store

__all__ = ["copied", "located", "pinned"]

_logger = logging.getLogger(__name__)


def copied(summaries: Iterable[Summary], target: Log, records: Records) -> list[Change]:
    """The changes by which a fork takes along the `summaries` that cover what it copies.

    summaries: of the branch that is copied, newest first.
    target: the new branch.
    records: those that are copied, from the first of the branch on.
    """
    copies = [copy for each in summaries if (copy := _copy(each, records)) is not None]
    if not copies:
        return []
    digests = _digests(records.payloads, {each.copy.at for each in copies if each.copy})
    payloads = [_with_digest(each, digests).payload() for each in reversed(copies)]
    return [Append(summaries_of(target).name, payloads, expect=0)]


def _copy(summary: Summary, records: Records) -> Summary | None:
    """`summary` for a branch that begins with `records`; None if it doesn't cover these."""
    index = bisect_left(records.positions, summary.covers)
    if index < len(records) and records.positions[index] == summary.covers:
        return summary._replace(covers=0, copy=Copy(index, ""), is_kept=False)
    if index == 0 and summary.is_kept and records:
        return summary._replace(covers=0)
    return None


def _with_digest(summary: Summary, digests: dict[int, str]) -> Summary:
    if summary.copy is None:
        return summary
    index = summary.copy.at
    return summary._replace(copy=Copy(index, digests[index]))


async def located(store: Store, log: Log, summaries: Iterable[Summary]) -> list[Summary]:
    """`summaries` of the branch `log`, each with the position that it covers.

    A copied one is left out if the branch no longer begins with the records that were copied.
    """
    known = [*summaries]
    indexes = {each.copy.at for each in known if each.copy}
    if not indexes:
        return known
    records = await store.read(log, limit=max(indexes) + 1, oldest=True)
    digests = _digests(records.payloads, indexes)
    return [
        found for each in known if (found := _located(each, records.positions, digests)) is not None
    ]


def _located(summary: Summary, positions: Sequence[int], digests: dict[int, str]) -> Summary | None:
    if summary.copy is None:
        return summary
    index, digest = summary.copy
    if digests.get(index) != digest:
        return None
    return summary._replace(covers=positions[index], copy=None)


def _digests(payloads: Sequence[bytes], indexes: set[int]) -> dict[int, str]:
    """For each of `indexes`, a digest of the payloads up to there and with it."""
    digests: dict[int, str] = {}
    running = sha256()
    for index, payload in enumerate(payloads[: max(indexes, default=-1) + 1]):
        running.update(len(payload).to_bytes(8, "big"))
        running.update(payload)
        if index in indexes:
            digests[index] = running.hexdigest()
    return digests


async def pinned(store: Store, log: Log, made: Iterable[Change]) -> None:
    """Write positions into the summaries of the new branch `log`, if `made` has copied some.

    It raises no error but `FileReplaced`, which concerns what the caller has stored: without it,
    the positions are found again at each reading.
    """
    name = summaries_of(log).name
    if all(change.log != name for change in made):
        return
    try:
        await _pin(store, log)
    except FileReplaced:
        raise
    except Exception as error:  # noqa: BLE001 - it is logged
        _logger.warning(
            "session %r, branch %r: copied summaries have no positions: %s",
            log.session,
            log.name,
            type(error).__name__,
        )


async def _pin(store: Store, log: Log) -> None:
    records = await store.read(summaries_of(log))
    payloads = dict(zip(records.positions, records.payloads, strict=True))
    copies = [copy for record in records if (copy := _copied(record)) is not None]
    found = await located(store, log, copies)
    if not found:
        return
    places = [each.position for each in found]
    change = Replace(
        summaries_of(log).name,
        places,
        [each.payload() for each in found],
        [payloads[place] for place in places],
    )
    with suppress(Conflict):  # it was cleared or dropped meanwhile
        await commit_unless_deleted(store, log, [change])


def _copied(record: Record) -> Summary | None:
    """The summary in `record`, if its position is not known yet."""
    try:
        found = parsed(record)
    except (ValueError, TypeError, KeyError):
        return None  # readers log it
    return found if isinstance(found, Summary) and found.copy is not None else None
