"""List elements: each is the position of a record, in digits, and its payload.

A record that was given a time has a "t" in front, and the time in digits after the position.
All other elements look as they did in older versions.
"""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.records import Column, Records
from turnlog.stores.clock import micros

__all__ = ["records_in", "timed"]

_WIDTH = 16  # of a position, in digits
_TIMED = ord("t")
_TIME_WIDTH = 18  # up to the year 9999
_HEAD = 1 + _WIDTH + _TIME_WIDTH


def records_in(elements: Sequence[bytes]) -> Records:
    """The records that `elements` hold."""
    return Records(
        Column(elements, _position),
        [element[_HEAD if element[0] == _TIMED else _WIDTH :] for element in elements],
        Column(elements, _moment),
    )


def timed(payload: bytes, moment: float) -> bytes:
    """What follows the position in the element of a record that was given a time."""
    return b"%018d" % micros(moment) + payload


def _position(element: bytes) -> int:
    return int(element[1 : 1 + _WIDTH] if element[0] == _TIMED else element[:_WIDTH])


def _moment(element: bytes) -> float:
    """The time of a record: positions are microseconds of the server's clock."""
    if element[0] == _TIMED:
        return int(element[1 + _WIDTH : _HEAD]) / 1_000_000
    return int(element[:_WIDTH]) / 1_000_000
