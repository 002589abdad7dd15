"""Heads of logs, read from the hash of their session."""

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
    """One head. A head that an older version stored has one more number at its end."""
    created, updated, last, length = map(int, packed.split()[:4])
    return Head(log, last, length, created / 1e6, updated / 1e6, note or b"")
