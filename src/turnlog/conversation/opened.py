"""Opened records: what a reader does with records and notes that could not be opened.

Such a record is `Unopened`, because a layer could not open it, or sealed, because no layer was
asked to. The first is damaged, moved or forged; the second is a mistake in the set-up, which is
raised. Neither is shown, copied or removed unless the caller names it.
"""

from __future__ import annotations

from collections.abc import Iterable

from turnlog.errors import Unreadable
from turnlog.items.json import Item, decode, decode_all
from turnlog.layers.encryption.header import is_sealed
from turnlog.records import Log, Record, Records, Unopened

__all__ = [
    "check_keyed",
    "check_opened",
    "check_opened_note",
    "item_of",
    "items_of",
    "problem_of",
]

ENCRYPTED = (
    "it is encrypted: open the store with Encrypted(store, keyring), or the session with "
    "EncryptSession(session, key), or on the command line use --key-file"
)


def problem_of(payload: bytes) -> str | None:
    """The reason why a payload or note was not opened; None if it was."""
    if isinstance(payload, Unopened):
        return payload.problem
    return ENCRYPTED if is_sealed(payload) else None


def items_of(log: Log, records: Records) -> list[Item | None]:
    """The item in each of `records`, or None where there is none that can be read.

    Raises `Unreadable` for a sealed record that no layer was asked to open.
    """
    items = decode_all(records.payloads)
    if not all(items):
        _check_keyed(log, zip(records.positions, records.payloads, items, strict=True))
    return items


def item_of(log: Log, record: Record) -> Item:
    """The item in `record`. Raises `ValueError` if there is none.

    Raises `Unreadable`, which is a `ValueError`, if the record was not opened.
    """
    problem = problem_of(record.payload)
    if problem is not None:
        raise Unreadable(log, record.position, problem)
    return decode(record.payload)


def check_keyed(log: Log, record: Record) -> None:
    """Raise `Unreadable` for a sealed record that no layer was asked to open."""
    _check_keyed(log, [(record.position, record.payload, None)])


def check_opened(log: Log, records: Records) -> None:
    """Raise `Unreadable` for the first of `records` that was not opened."""
    for position, payload in zip(records.positions, records.payloads, strict=True):
        problem = problem_of(payload)
        if problem is not None:
            raise Unreadable(log, position, problem)


def check_opened_note(log: Log, note: bytes) -> None:
    """Raise `Unreadable` for a note that was not opened."""
    problem = problem_of(note)
    if problem is not None:
        raise Unreadable(log, 0, f"the note can't be read: {problem}")


def _check_keyed(log: Log, records: Iterable[tuple[int, bytes, Item | None]]) -> None:
    for position, payload, item in records:
        if item is None and not isinstance(payload, Unopened) and is_sealed(payload):
            raise Unreadable(log, position, ENCRYPTED)
