"""Places of replaced records: as before, or one that fits among their neighbours.

A record that was damaged, or never sealed, has no place that could be trusted. With a wrong one it
could not be read after it was replaced, or a neighbour could not.
"""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.layers.encryption.header import is_sealed
from turnlog.layers.encryption.opening import Opener, place_of
from turnlog.records import Log, Records, Unopened
from turnlog.store import Store

__all__ = ["places_of"]


async def places_of(
    store: Store, opener: Opener, log: Log, stored: Records, opened: Sequence[bytes]
) -> list[tuple[int, int]]:
    """The base and the ordinal to seal each of `stored` for, all neighbours in `log`.

    opened: the same records, opened.
    """
    known = [_known(*each) for each in zip(stored.payloads, opened, strict=True)]
    behind = await _behind(store, opener, stored, log) if None in known else None
    places: list[tuple[int, int]] = []
    for position, place in zip(reversed(stored.positions), reversed(known), strict=True):
        behind = place or _fitting(position, behind)
        places.append(behind)
    return places[::-1]


def _known(stored: bytes, opened: bytes) -> tuple[int, int] | None:
    """The place of a record that could be opened; None if it was not sealed."""
    return place_of(stored) if is_sealed(stored) and not isinstance(opened, Unopened) else None


async def _behind(
    store: Store, opener: Opener, stored: Records, log: Log
) -> tuple[int, int] | None:
    """The place of the record behind `stored`; None if there is none, or it can't be opened."""
    found = await store.read(log, after=stored.positions[-1], limit=1, oldest=True)
    opened = await opener.records(log, found)
    return _known(found.payloads[0], opened.payloads[0]) if found else None


def _fitting(position: int, behind: tuple[int, int] | None) -> tuple[int, int]:
    """Right behind the record before it; or in the append to which the one behind belongs."""
    base, ordinal = behind or (position, 0)
    return (base, ordinal - 1) if base < position and ordinal > 0 else (position - 1, 0)
