"""List elements: each is the position of a record, in digits, and its payload."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.records import Column, Records

__all__ = ["WIDTH", "records_in"]

#: The number of digits of a position.
WIDTH = 16


def records_in(elements: Sequence[bytes]) -> Records:
    """The records that `elements` hold."""
    return Records(
        Column(elements, _position),
        [element[WIDTH:] for element in elements],
        Column(elements, _moment),
    )


def _position(element: bytes) -> int:
    return int(element[:WIDTH])


def _moment(element: bytes) -> float:
    """The time of a record: positions are microseconds of the server's clock."""
    return _position(element) / 1_000_000
