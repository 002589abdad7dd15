"""Heads: what the hash of a session tells of its logs."""

from __future__ import annotations

from turnlog.records import Log
from turnlog.store import Head

__all__ = ["head_in", "heads_in"]


def heads_in(session: str, fields: dict[bytes, bytes]) -> list[Head]:
    """The heads of all logs, by name. `fields`: "h" and "n" before the name of each log."""
    names = sorted(field[1:].decode() for field in fields if field.startswith(b"h"))
    return [
        head_in(Log(session, name), fields[b"h" + name.encode()], fields.get(b"n" + name.encode()))
        for name in names
    ]


def head_in(log: Log, packed: bytes, note: bytes | None) -> Head:
    """One head. That of an older version ends with a number more."""
    created, updated, last, length = map(int, packed.split()[:4])
    return Head(log, last, length, created / 1e6, updated / 1e6, note or b"")
