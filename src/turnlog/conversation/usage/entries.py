"""Usage entries: the records of usage beside a branch, one for each run.

The log `:usage` holds a record for each run: its id, the position of the turn it belongs to, agent,
model and tokens. If a run has several records, the last one counts. Records that a fork has copied
name their turn by its place among the copied records, because a branch that is about to be made
has no positions yet.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from turnlog.conversation.opened import check_keyed
from turnlog.conversation.usage.usage import COUNTS, Usage, total
from turnlog.items.json import Item, decode
from turnlog.records import Log, Record
from turnlog.store import Store

__all__ = ["Entry", "Part", "counted", "entries_in", "is_same_time"]

_logger = logging.getLogger(__name__)

#: Times of copied records are equal to the original ones up to so many seconds.
_SAME_TIME = 0.002

_DETAILS = ("input_details", "output_details")


class Part(NamedTuple):
    """Usage of one agent on one model; "" where that is not known."""

    agent: str
    model: str
    usage: Usage

    def fields(self) -> Item:
        """The part as it is stored."""
        fields: Item = {"agent": self.agent, "model": self.model}
        fields |= {name: getattr(self.usage, name) for name in COUNTS}
        for name in _DETAILS:
            if (details := getattr(self.usage, name)) is not None:
                fields[name] = details
        return fields

    @classmethod
    def of(cls, fields: Item) -> Part:
        """The part that is stored as `fields`. Raises `ValueError` or `TypeError` if it is none."""
        counts = [int(fields.get(name) or 0) for name in COUNTS]
        usage = Usage(
            *counts,
            input_details=_details(fields.get("input_details")),
            output_details=_details(fields.get("output_details")),
        )
        return cls(str(fields.get("agent") or ""), str(fields.get("model") or ""), usage)


def _details(value: object) -> Mapping[str, Any] | None:
    return value if isinstance(value, Mapping) else None


class Entry(NamedTuple):
    """The record of one run."""

    run: str
    #: Of the first record of the run's turn; 0: before the first question.
    position: int
    parts: list[Part]
    #: The record as it is stored.
    fields: Item
    #: For a record that a fork has copied: the index of the turn's first record, and its time.
    copied_from: tuple[int, float] | None = None

    @property
    def usage(self) -> Usage:
        """The usage of the run."""
        return total(part.usage for part in self.parts)

    @classmethod
    def of(cls, payload: bytes) -> Entry:
        """The entry in `payload`. Raises an error if there is none."""
        fields = decode(payload)
        parts = [Part.of(each) for each in fields.get("parts") or [fields]]
        place = (int(fields["record"]), float(fields["asked_at"])) if "record" in fields else None
        return cls(str(fields["run"]), int(fields.get("position", 0)), parts, fields, place)


def entries_in(records: Iterable[Record], log: Log) -> Iterator[tuple[Record, Entry]]:
    """Each of `records` with its entry. One that can't be read is logged and left out.

    Raises `Unreadable` for an encrypted one that no layer was asked to open.
    """
    for record in records:
        check_keyed(log, record)
        try:
            yield record, Entry.of(record.payload)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            _logger.warning(
                "session %r, log %r: usage record %d can't be read and is left out: %s",
                log.session,
                log.name,
                record.position,
                type(error).__name__,
            )


async def counted(store: Store, log: Log) -> list[Entry]:
    """The entries that count on the branch `log`, oldest first: the last one of each run."""
    usage = log.beside("usage")
    last = {entry.run: entry for _, entry in entries_in(await store.read(usage), usage)}
    return list(last.values())


def is_same_time(one: float, other: float) -> bool:
    """Whether two records have the same time, so that one may be a copy of the other."""
    return abs(one - other) < _SAME_TIME
