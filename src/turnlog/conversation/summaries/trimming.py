"""Trimming: the changes that keep a summary valid when the first records of a branch go."""

from __future__ import annotations

from turnlog.changes import Append, Change, Check
from turnlog.conversation.summaries.reading import valid
from turnlog.conversation.summaries.record import mark_payload, summaries_of
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["trimmed"]


async def trimmed(store: Store, log: Log) -> list[Change]:
    """The changes with which a removal of the first records of the branch `log` goes.

    The summary that counts keeps counting, although the record that it ends with goes. Make them
    in the commit of the removal, which must expect the end of `log` as it was before this call:
    so no pop comes between. Their own condition fails if a summary was made or dropped meanwhile.
    """
    summary, end = await valid(store, log)
    name = summaries_of(log).name
    if summary is None:
        return [Check(name, end)]
    return [Append(name, [mark_payload(summary.position)], expect=end)]
