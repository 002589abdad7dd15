"""Usage: the tokens that runs have spent, and the records of them beside a branch.

The log `:usage` holds a record for each run: its id, the position of the turn it belongs to, agent,
model and tokens. If a run has several records, the last one counts. Records that a fork has copied
name their turn by its place among the copied records, because a branch that is about to be made
has no positions yet.
"""

from __future__ import annotations

import logging
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from turnlog.changes import Append, Change
from turnlog.items.json import Item, decode, encode
from turnlog.records import Log, Record, Records
from turnlog.store import Store

if TYPE_CHECKING:
    from turnlog.conversation.reading.turn_index import Turn

__all__ = [
    "Entry",
    "Part",
    "Places",
    "Usage",
    "copied_usage",
    "counted",
    "entries_in",
    "newest_entries",
    "total",
    "usage_of_turns",
]

_logger = logging.getLogger(__name__)

# Records of older turns in a row, after which nothing is expected of newer ones.
_ENOUGH = 32

#: Times of copied records are equal to the original ones up to so many seconds.
_SAME_TIME = 0.002

_COUNTS = (
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "requests",
)
_DETAILS = ("input_details", "output_details")


@dataclass(frozen=True)
class Usage:
    """Tokens spent, as the provider counts them.

    cached_tokens: how many of the input tokens came from the provider's prompt cache.
    reasoning_tokens: how many of the output tokens were reasoning.
    requests: how many requests these tokens were spent on.
    input_details, output_details: the counts that the provider gave in detail, under its names.
        They take no part in comparisons.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    requests: int = 0
    input_details: Mapping[str, Any] | None = field(default=None, compare=False, kw_only=True)
    output_details: Mapping[str, Any] | None = field(default=None, compare=False, kw_only=True)

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    @property
    def is_empty(self) -> bool:
        """Whether nothing was spent."""
        return not any(getattr(self, name) for name in _COUNTS)

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.requests + other.requests,
            input_details=_added(self.input_details, other.input_details),
            output_details=_added(self.output_details, other.output_details),
        )


def total(usages: Iterable[Usage]) -> Usage:
    """All of `usages` together."""
    return sum(usages, Usage())


def _added(
    one: Mapping[str, Any] | None, other: Mapping[str, Any] | None
) -> Mapping[str, Any] | None:
    """Details of two usages together: counts of the same name add up."""
    if one is None or other is None:
        return other if one is None else one
    return {**one, **{name: _sum(one.get(name), value) for name, value in other.items()}}


def _sum(one: Any, other: Any) -> Any:  # values of details are numbers, and mappings of them
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return _added(one, other)
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one + other
    return one if other is None else other


class Part(NamedTuple):
    """What one agent has spent on one model; "" where that is not known."""

    agent: str
    model: str
    usage: Usage

    def fields(self) -> Item:
        """The part as it is stored."""
        fields: Item = {"agent": self.agent, "model": self.model}
        fields |= {name: getattr(self.usage, name) for name in _COUNTS}
        for name in _DETAILS:
            if (details := getattr(self.usage, name)) is not None:
                fields[name] = details
        return fields

    @classmethod
    def of(cls, fields: Item) -> Part:
        """The part that is stored as `fields`. Raises `ValueError` or `TypeError` if it is none."""
        counts = [int(fields.get(name) or 0) for name in _COUNTS]
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
        """What the run has spent."""
        return total(part.usage for part in self.parts)

    @classmethod
    def of(cls, payload: bytes) -> Entry:
        """The entry in `payload`. Raises an error if there is none."""
        fields = decode(payload)
        parts = [Part.of(each) for each in fields.get("parts") or [fields]]
        place = (int(fields["record"]), float(fields["asked_at"])) if "record" in fields else None
        return cls(str(fields["run"]), int(fields.get("position", 0)), parts, fields, place)


def entries_in(records: Iterable[Record], log: Log) -> Iterator[tuple[Record, Entry]]:
    """Each of `records` with its entry. One that can't be read is logged and left out."""
    for record in records:
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
        is_there = index < len(records) and _is_same_time(records.times[index], asked_at)
        return entry.fields if is_there else None
    if entry.position == 0:
        return entry.fields
    index = bisect_left(records.positions, entry.position)
    if index == len(records) or records.positions[index] != entry.position:
        return None
    others = {name: value for name, value in entry.fields.items() if name != "position"}
    return {**others, "record": index, "asked_at": records.times[index]}


def _is_same_time(one: float, other: float) -> bool:
    return abs(one - other) < _SAME_TIME


class Places:
    """Which of some turns of one branch an entry belongs to."""

    def __init__(self, turns: Sequence[Turn]) -> None:
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
        return turn.number if turn and _is_same_time(turn.created_at, asked_at) else None

    def is_older(self, record: Record, entry: Entry) -> bool:
        """Whether `entry` is of a turn before these, and was stored before the first of them."""
        first = self._first
        if first is None or first.number == 0 or record.created_at > first.created_at:
            return False
        if entry.copied_from is not None:
            return entry.copied_from[0] < first.ordinal
        return entry.position < first.position


async def usage_of_turns(store: Store, log: Log, turns: Sequence[Turn]) -> dict[int, Usage]:
    """What was spent on each of `turns`, by number; on those that are not in it, nothing.

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


async def newest_entries(store: Store, log: Log, turns: Sequence[Turn]) -> list[Entry]:
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
