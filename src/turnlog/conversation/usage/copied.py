"""Copied usage: what a fork records of the usage of the turns that it copies."""

from __future__ import annotations

from bisect import bisect_left

from turnlog.changes import Append, Change
from turnlog.conversation.usage.entries import Entry, entries_in, is_same_time
from turnlog.items.json import Item, encode
from turnlog.records import Log, Record, Records
from turnlog.store import Store

__all__ = ["copied_usage"]


async def copied_usage(store: Store, source: Log, target: Log, records: Records) -> list[Change]:
    """The changes by which a fork copies the usage of the turns that it copies.

    source, target: the branches.
    records: of `source`, from its first one on: those that are copied.
    """
    if not records:
        return []
    usage = source.beside("usage")
    last: dict[str, tuple[Record, Entry]] = {}
    for record, entry in entries_in(await store.read(usage), usage):
        last[entry.run] = record, entry
    copies = [(record.created_at, _copy(entry, records)) for record, entry in last.values()]
    kept = [(time, encode(fields)) for time, fields in copies if fields is not None]
    if not kept:
        return []
    times, payloads = zip(*kept, strict=True)
    return [Append(target.beside("usage").name, payloads, expect=0, times=times)]


def _copy(entry: Entry, records: Records) -> Item | None:
    """`entry` for a branch that begins with `records`; None if its turn is not among them."""
    if entry.copied_from is not None:
        index, asked_at = entry.copied_from
        is_there = index < len(records) and is_same_time(records.times[index], asked_at)
        return entry.fields if is_there else None
    if entry.position == 0:
        return entry.fields
    index = bisect_left(records.positions, entry.position)
    if index == len(records) or records.positions[index] != entry.position:
        return None
    others = {name: value for name, value in entry.fields.items() if name != "position"}
    return {**others, "record": index, "asked_at": records.times[index]}
