"""Root of a session: the heads and open ends of its logs, in the only document that changes.

Changing it is the commit. Its size is bounded, whatever the length and number of the logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from turnlog.errors import SchemaError
from turnlog.stores.dapr.documents import Part, Ref, Rows, as_bytes, as_text

__all__ = ["FORMAT", "KnownKey", "LogHead", "Root", "check_format"]

#: The first element of a root, and of a part of the directory. Older documents begin with a
#: time in microseconds or a truth value.
FORMAT = 2


@dataclass(frozen=True)
class LogHead:
    """The entry of one log in a root."""

    #: Microseconds since the epoch, UTC.
    created: int
    updated: int
    note: bytes = b""
    #: The sealed records, and behind them those of the open end.
    refs: tuple[Ref, ...] = ()
    tail: Rows = field(default_factory=Rows.none)

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
        """As a list; the last position of a reference as its distance from the first."""
        refs = [(*ref[:4], ref.last - ref.first) for ref in self.refs]
        return [self.created, self.updated, as_text(self.note), refs, self.tail.to_json()]

    @classmethod
    def of_json(cls, value: list[Any]) -> LogHead:
        """The inverse of `to_json`."""
        created, updated, note, refs, tail = value
        whole = [
            Ref(name, depth, length, first, first + distance)
            for name, depth, length, first, distance in refs
        ]
        return cls(created, updated, as_bytes(note), tuple(whole), Rows.of_json(tail))


class KnownKey(NamedTuple):
    """The key of a commit that was made."""

    hash: str
    digest: bytes
    positions: tuple[int, ...]
    #: When a brief key was used, in microseconds; 0 for a lasting one.
    at: int = 0

    def to_json(self) -> list[Any]:
        """As a list."""
        return [self.hash, as_text(self.digest), self.positions, self.at]

    @classmethod
    def of_json(cls, value: list[Any]) -> KnownKey:
        """The inverse of `to_json`."""
        name, digest, positions, at = value
        return cls(name, as_bytes(digest), tuple(positions), at)


@dataclass(frozen=True)
class Root:
    """A session. That of a deleted one keeps `top` and nothing else."""

    #: Names this life of the session, from its making to its deletion; "": it doesn't exist.
    life: str = ""
    #: The greatest position that was ever used.
    top: int = 0
    logs: Mapping[str, LogHead] = field(default_factory=dict)
    #: The heads of logs that were not written for long. Those in `logs` replace them.
    cold: tuple[Part, ...] = ()
    #: The keys of the newest commits, and the lists of those that have documents of their own.
    keys: tuple[KnownKey, ...] = ()
    lasting: tuple[Ref, ...] = ()
    brief: tuple[Ref, ...] = ()
    #: Names the session's entry in the directory; "" when it has none.
    entry: str = ""
    #: When all documents of the session were last written again, in microseconds.
    renewed: int = 0
    #: The etag of the SDK's array that this was copied from, until that is known to be emptied.
    copied: str | None = None
    #: The logs whose documents of an older format are still to be emptied.
    older: tuple[str, ...] = ()

    @property
    def exists(self) -> bool:
        """Whether there is a conversation."""
        return bool(self.life)

    def to_json(self) -> list[Any]:
        """As a list."""
        logs = {name: head.to_json() for name, head in self.logs.items()}
        keys = [known.to_json() for known in self.keys]
        return [
            *(FORMAT, self.life, self.top, logs, self.cold, keys, self.lasting, self.brief),
            *(self.entry, self.renewed, self.copied, self.older),
        ]

    @classmethod
    def of_json(cls, value: list[Any]) -> Root:
        """The inverse of `to_json`. Raises `SchemaError` for a newer format."""
        check_format(value[0])
        _, life, top, logs, cold, keys, lasting, brief, entry, renewed, copied, older = value
        return cls(
            life=life,
            top=top,
            logs={name: LogHead.of_json(head) for name, head in logs.items()},
            cold=tuple(Part(*part) for part in cold),
            keys=tuple(map(KnownKey.of_json, keys)),
            lasting=tuple(Ref(*ref) for ref in lasting),
            brief=tuple(Ref(*ref) for ref in brief),
            entry=entry,
            renewed=renewed,
            copied=copied,
            older=tuple(older),
        )


def check_format(number: int) -> None:
    """Raise `SchemaError` if a document has another format than `FORMAT`."""
    if number != FORMAT:
        raise SchemaError(
            f"a document of this component has format {number}, and this version of turnlog "
            f"knows format {FORMAT}: a newer version has written it, use that one"
        )
