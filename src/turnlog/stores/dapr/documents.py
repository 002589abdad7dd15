"""Parts of documents as JSON text: records, and references to sealed documents.

Text, because some components of Dapr store nothing else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

__all__ = [
    "BYTES",
    "RECORDS",
    "Part",
    "Ref",
    "Rows",
    "Span",
    "as_bytes",
    "as_text",
    "groups",
    "packed",
    "unpacked",
]

#: The most that one sealed document holds. A single larger record gets a document of its own.
RECORDS = 32
BYTES = 8192


class Ref(NamedTuple):
    """A reference to a sealed document, and to the records at and below it."""

    name: str
    #: 0: it holds records. More: it holds references of a smaller depth.
    depth: int
    length: int
    first: int
    last: int


class Part(NamedTuple):
    """A reference to a sealed document of a sorted map, and to the entries at and below it."""

    name: str
    #: 0: it holds entries. More: it holds references of the next smaller depth.
    depth: int
    length: int
    first: str
    last: str


class Span(NamedTuple):
    """The positions between two others, both excluded."""

    after: int
    before: int | None

    def holds(self, position: int) -> bool:
        """Whether `position` is inside."""
        return position > self.after and (self.before is None or position < self.before)

    def meets(self, ref: Ref) -> bool:
        """Whether records below `ref` may be inside."""
        return ref.last > self.after and (self.before is None or ref.first < self.before)

    def covers(self, ref: Ref) -> bool:
        """Whether all records below `ref` are inside."""
        return self.holds(ref.first) and self.holds(ref.last)


@dataclass(frozen=True)
class Rows:
    """Records as columns; times in microseconds."""

    positions: list[int]
    times: list[int]
    payloads: list[bytes]

    @classmethod
    def none(cls) -> Rows:
        """No records."""
        return cls([], [], [])

    @classmethod
    def joined(cls, parts: Iterable[Rows]) -> Rows:
        """All records of `parts`, in order."""
        rows = cls.none()
        for part in parts:
            rows.positions.extend(part.positions)
            rows.times.extend(part.times)
            rows.payloads.extend(part.payloads)
        return rows

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def size(self) -> int:
        """The bytes of all payloads."""
        return sum(map(len, self.payloads))

    def part(self, start: int, stop: int | None = None) -> Rows:
        """The records with the indexes from `start` up to `stop`, excluded."""
        part = slice(start, stop)
        return Rows(self.positions[part], self.times[part], self.payloads[part])

    def inside(self, span: Span) -> Rows:
        """The records inside `span`."""
        return self._only([span.holds(position) for position in self.positions])

    def outside(self, span: Span) -> Rows:
        """The records outside `span`."""
        return self._only([not span.holds(position) for position in self.positions])

    def with_payloads(self, new: Mapping[int, bytes]) -> Rows:
        """The records with `new` payloads, given by position; the others keep theirs."""
        both = zip(self.positions, self.payloads, strict=True)
        payloads = [new.get(position, payload) for position, payload in both]
        return Rows(self.positions, self.times, payloads)

    def _only(self, kept: list[bool]) -> Rows:
        if all(kept):
            return self
        return Rows(
            [position for position, keep in zip(self.positions, kept, strict=True) if keep],
            [time for time, keep in zip(self.times, kept, strict=True) if keep],
            [payload for payload, keep in zip(self.payloads, kept, strict=True) if keep],
        )

    def to_json(self) -> list[Any]:
        """As a list; numbers as their differences, which are short."""
        texts = [as_text(payload) for payload in self.payloads]
        return [_differences(self.positions), _differences(self.times), texts]

    @classmethod
    def of_json(cls, value: list[Any]) -> Rows:
        """The inverse of `to_json`."""
        positions, times, texts = value
        return cls(list(accumulate(positions)), list(accumulate(times)), list(map(as_bytes, texts)))


def groups(rows: Rows) -> Iterator[Rows]:
    """Split `rows` into parts that each fit into one document, in order; at least one."""
    start, size = 0, 0
    for n, payload in enumerate(rows.payloads):
        size += len(payload)
        if n > start and (n - start >= RECORDS or size > BYTES):
            yield rows.part(start, n)
            start, size = n, len(payload)
    yield rows.part(start)


_encoded = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def packed(value: Sequence[Any]) -> bytes:
    """`value` as JSON text."""
    return _encoded(value).encode()


def unpacked(text: bytes) -> Any:
    """The inverse of `packed`."""
    return json.loads(text)


def _differences(numbers: list[int]) -> list[int]:
    return [*numbers[:1], *(later - earlier for earlier, later in pairwise(numbers))]


def as_text(payload: bytes) -> str | list[str]:
    """Text unchanged, as nearly all payloads are text; other bytes as base64 in a list."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return [base64.b64encode(payload).decode()]


def as_bytes(text: str | list[str]) -> bytes:
    """The inverse of `as_text`."""
    return text.encode() if isinstance(text, str) else base64.b64decode(text[0])
