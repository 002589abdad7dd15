"""What the documents of a log hold, and their form: JSON text.

Text, because some components of Dapr keep nothing else.
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
    "Window",
    "groups",
    "is_small",
    "packed",
    "unpacked",
]

#: What one sealed document, or the open end inside the head, holds at most. A single
#: larger record has a document of its own.
RECORDS = 32
BYTES = 8192


class Ref(NamedTuple):
    """A sealed document: where it is, and what is beneath it."""

    name: str
    #: 0: it holds records; more: it holds references of a lesser depth.
    depth: int
    length: int
    first: int
    last: int


class Window(NamedTuple):
    """The positions between two others, both excluded."""

    after: int
    before: int | None

    def holds(self, position: int) -> bool:
        """Whether `position` is inside."""
        return position > self.after and (self.before is None or position < self.before)

    def meets(self, ref: Ref) -> bool:
        """Whether something beneath `ref` may be inside."""
        return ref.last > self.after and (self.before is None or ref.first < self.before)

    def covers(self, ref: Ref) -> bool:
        """Whether all that is beneath `ref` is inside."""
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
        """The records from `start` up to `stop`, counted."""
        span = slice(start, stop)
        return Rows(self.positions[span], self.times[span], self.payloads[span])

    def inside(self, window: Window) -> Rows:
        """The records inside `window`."""
        return self._only([window.holds(at) for at in self.positions])

    def outside(self, window: Window) -> Rows:
        """The records outside `window`."""
        return self._only([not window.holds(at) for at in self.positions])

    def _only(self, kept: list[bool]) -> Rows:
        if all(kept):
            return self
        return Rows(
            [position for position, keep in zip(self.positions, kept, strict=True) if keep],
            [time for time, keep in zip(self.times, kept, strict=True) if keep],
            [payload for payload, keep in zip(self.payloads, kept, strict=True) if keep],
        )

    def to_json(self) -> list[Any]:
        """Numbers as steps, which are short."""
        texts = [_text(payload) for payload in self.payloads]
        return [_steps(self.positions), _steps(self.times), texts]

    @classmethod
    def of_json(cls, value: list[Any]) -> Rows:
        """The inverse of `to_json`."""
        positions, times, texts = value
        return cls(list(accumulate(positions)), list(accumulate(times)), list(map(_bytes, texts)))


@dataclass(frozen=True)
class SessionDocument:
    """What is known of a session beside its logs."""

    #: Heads of an earlier epoch are those of a session that was deleted.
    epoch: int
    #: The names of all logs that the session has had in this epoch.
    logs: tuple[str, ...]
    #: The position of the session in its part of the directory, 0 when it is not listed.
    entry: int
    #: When all documents of the session were last written anew, in microseconds.
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
    """The one document of a log that changes: to move it is to commit.

    Its size has a bound, whatever the length of the log.
    """

    #: False when the log was deleted.
    live: bool
    #: The session's, when the log was made.
    epoch: int
    #: A word for this life of the log; writes with a key are known for as long.
    life: str
    #: The greatest position that was ever given away.
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
    #: The etag of the SDK's array that this was copied from, until that is known to be given up.
    copied: str | None = None

    @property
    def last(self) -> int:
        """The position of the last record, 0 when there is none."""
        if self.tail.positions:
            return self.tail.positions[-1]
        return self.refs[-1].last if self.refs else 0

    @property
    def length(self) -> int:
        """How many records there are."""
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
    """`rows` in parts that are each small enough for one document, in order; at least one."""
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


def _steps(numbers: list[int]) -> list[int]:
    return [*numbers[:1], *(later - earlier for earlier, later in pairwise(numbers))]


def _text(payload: bytes) -> str | list[str]:
    """Text as it is, for that is what nearly all payloads are; other bytes as base64 in a list."""
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return [base64.b64encode(payload).decode()]


def _bytes(text: str | list[str]) -> bytes:
    return text.encode() if isinstance(text, str) else base64.b64decode(text[0])
