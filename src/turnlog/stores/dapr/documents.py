"""Documents of a log and of a session, as JSON text.

Text, because some components of Dapr store nothing else.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

__all__ = [
    "RECORDS",
    "HeadDocument",
    "Ref",
    "Rows",
    "SessionDocument",
    "Span",
    "groups",
    "is_small",
    "packed",
    "unpacked",
]

#: The most that one sealed document, or the open end inside the head, holds. A single
#: larger record gets a document of its own.
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
        texts = [_text(payload) for payload in self.payloads]
        return [_differences(self.positions), _differences(self.times), texts]

    @classmethod
    def of_json(cls, value: list[Any]) -> Rows:
        """The inverse of `to_json`."""
        positions, times, texts = value
        return cls(list(accumulate(positions)), list(accumulate(times)), list(map(_bytes, texts)))


@dataclass(frozen=True)
class SessionDocument:
    """A session: its logs and its entry in the directory."""

    #: Heads of an earlier epoch belong to a session that was deleted.
    epoch: int
    #: The names of all logs that the session has had in this epoch, deleted ones too.
    logs: tuple[str, ...]
    #: The position of the session in its part of the directory, 0 when it is not listed.
    entry: int
    #: When all documents of the session were last written again, in microseconds.
    renewed: int

    def to_json(self) -> list[Any]:
        """As a list."""
        return [self.epoch, self.logs, self.entry, self.renewed]

    @classmethod
    def of_json(cls, value: list[Any]) -> SessionDocument:
        """The inverse of `to_json`."""
        epoch, logs, entry, renewed = value
        return cls(epoch, tuple(logs), entry, renewed)


@dataclass(frozen=True)
class HeadDocument:
    """The head of a log, the only document that changes: changing it is the commit.

    Its size is bounded, whatever the length of the log.
    """

    #: False when the log was deleted.
    live: bool
    #: The session's epoch when the log was made.
    epoch: int
    #: Names this life of the log, from its making to its deletion; keys are remembered as long.
    life: str
    #: The greatest position that was ever used.
    top: int
    #: Microseconds since the epoch, UTC.
    created: int
    updated: int
    note: bytes = b""
    refs: tuple[Ref, ...] = ()
    tail: Rows = field(default_factory=Rows.none)
    #: The newest writes with a key: digest of the key, last position.
    keys: tuple[tuple[str, int], ...] = ()
    key_refs: tuple[Ref, ...] = ()
    #: The etag of the SDK's array that this was copied from, until that array is known to be
    #: emptied.
    copied: str | None = None

    @property
    def last(self) -> int:
        """The position of the last record, 0 when there is none."""
        if self.tail.positions:
            return self.tail.positions[-1]
        return self.refs[-1].last if self.refs else 0

    @property
    def length(self) -> int:
        """The number of records."""
        return len(self.tail) + sum(ref.length for ref in self.refs)

    def to_json(self) -> list[Any]:
        """As a list."""
        return [
            *(self.live, self.epoch, self.life, self.top, self.created, self.updated),
            *(_text(self.note), self.refs, self.tail.to_json(), self.keys, self.key_refs),
            self.copied,
        ]

    @classmethod
    def of_json(cls, value: list[Any]) -> HeadDocument:
        """The inverse of `to_json`."""
        live, epoch, life, top, created, updated, note, refs, tail, keys, key_refs, copied = value
        return cls(
            live=live,
            epoch=epoch,
            life=life,
            top=top,
            created=created,
            updated=updated,
            note=_bytes(note),
            refs=tuple(Ref(*ref) for ref in refs),
            tail=Rows.of_json(tail),
            keys=tuple((digest, position) for digest, position in keys),
            key_refs=tuple(Ref(*ref) for ref in key_refs),
            copied=copied,
        )


def groups(rows: Rows) -> Iterator[Rows]:
    """Split `rows` into parts that each fit into one document, in order; at least one."""
    start, size = 0, 0
    for n, payload in enumerate(rows.payloads):
        size += len(payload)
        if n > start and (n - start >= RECORDS or size > BYTES):
            yield rows.part(start, n)
            start, size = n, len(payload)
    yield rows.part(start)


def is_small(rows: Rows) -> bool:
    """Whether `rows` may stay in the head."""
    return sum(map(len, rows.payloads)) <= BYTES


def packed(value: Sequence[Any]) -> bytes:
    """`value` as JSON text."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def unpacked(text: bytes) -> Any:
    """The inverse of `packed`."""
    return json.loads(text)


def _differences(numbers: list[int]) -> list[int]:
    return [*numbers[:1], *(later - earlier for earlier, later in pairwise(numbers))]


def _text(payload: bytes) -> str | list[str]:
    """Text unchanged, as nearly all payloads are text; other bytes as base64 in a list."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return [base64.b64encode(payload).decode()]


def _bytes(text: str | list[str]) -> bytes:
    return text.encode() if isinstance(text, str) else base64.b64decode(text[0])
