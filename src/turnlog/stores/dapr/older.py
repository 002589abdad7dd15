"""Older documents: a session as one document of names and a head for each log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from turnlog.stores.dapr.documents import Ref, Rows, as_bytes
from turnlog.stores.dapr.keys import digest
from turnlog.stores.dapr.root import LogHead

__all__ = ["HeadDocument", "SessionDocument", "former_hash"]

#: Older documents of sessions begin with a time in microseconds, roots with a small number.
_FIRST_EPOCH = 10**12


@dataclass(frozen=True)
class SessionDocument:
    """A session in the older format."""

    #: Heads of an earlier epoch belong to a session that was deleted.
    epoch: int
    #: The names of all logs that the session has had in this epoch, deleted ones too.
    logs: tuple[str, ...]
    #: When all documents of the session were last written again, in microseconds.
    renewed: int

    @classmethod
    def found(cls, body: list[Any] | None) -> SessionDocument | None:
        """The session in this document; None if there is none, or one in another format."""
        if body is None or body[0] < _FIRST_EPOCH:
            return None
        epoch, logs, _, renewed = body
        return cls(epoch, tuple(logs), renewed)


@dataclass(frozen=True)
class HeadDocument:
    """The head of a log in the older format."""

    live: bool
    epoch: int
    #: Names this life of the log; the documents of keys begin with it.
    life: str
    top: int
    head: LogHead
    #: The newest writes with a key: digest of the key, last position.
    keys: tuple[tuple[str, int], ...]
    key_refs: tuple[Ref, ...]
    #: The etag of the SDK's array that this was copied from.
    copied: str | None

    @classmethod
    def of_json(cls, value: list[Any]) -> HeadDocument:
        """The head in this document."""
        live, epoch, life, top, created, updated, note, refs, tail, keys, key_refs, copied = value
        head = LogHead(
            created,
            updated,
            as_bytes(note),
            tuple(Ref(*ref) for ref in refs),
            Rows.of_json(tail),
        )
        known = tuple((name, position) for name, position in keys)
        return cls(live, epoch, life, top, head, known, tuple(Ref(*r) for r in key_refs), copied)


def former_hash(log: str, key_digest: str) -> str:
    """The hash under which a root knows a key of one log of an older session."""
    return digest(f"{log}:{key_digest}")
