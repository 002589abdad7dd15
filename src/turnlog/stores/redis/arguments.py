"""Arguments of the commit script: changes and keys as flat lists of texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TypeAlias

from turnlog.changes import (
    Annotate,
    Append,
    Change,
    Committed,
    Forget,
    Key,
    Remove,
    Replace,
    makes_session,
    writes,
)
from turnlog.store import span
from turnlog.stores.redis.elements import timed
from turnlog.stores.redis.packing import packed

__all__ = ["BEYOND", "Argument", "bounds", "commit_arguments", "known", "positions_in"]

Argument: TypeAlias = str | bytes

# A batch of more values is packed: driver and server take long over each single argument.
_MOST_ALONE = 200

BEYOND = 2**53 - 1  # the greatest integer in a script

#: A key of one log, as `Key.of` names it. Older versions had only those, and stored their names.
_OF_ONE_LOG = re.compile(r"\d+:", re.ASCII)


def commit_arguments(changes: Sequence[Change], key: Key | None) -> list[Argument]:
    """The arguments of the commit script that come after those that all scripts take."""
    flags = _flag(makes_session(changes, key)) + _flag(writes(changes))
    arguments: list[Argument] = [flags]
    if key is not None:
        name = key.name if _OF_ONE_LOG.match(key.name) else ""
        arguments = [flags + _flag(key.brief), key.hash, name, key.digest]
    for change in changes:
        arguments += _of_change(change)
    return arguments


def bounds(after: int, before: int | None) -> tuple[str, str]:
    """The first position inside and the first one after."""
    first, stop = span(after, before, BEYOND)
    return str(min(first + 1, BEYOND)), str(stop)


def known(stored: bytes, key: Key) -> Committed:
    """The result of the first commit with `key`. `stored`: its positions, "|", its digest."""
    positions, _, digest = stored.partition(b"|")
    key.check_digest(digest)
    return Committed(positions_in(positions), replayed=True)


def positions_in(answer: bytes) -> tuple[int, ...]:
    """The positions in an answer."""
    return tuple(map(int, answer.split()))


def _of_change(change: Change) -> Iterator[Argument]:
    match change:
        case Append(log, payloads, expect, cut, times):
            is_packed = len(payloads) > _MOST_ALONE
            yield from ("packed" if is_packed else "append", log, _number(expect))
            yield "" if cut is None else bounds(cut, None)[0]
            yield "" if times is None else "".join(_flag(time is not None) for time in times)
            values = list(payloads if times is None else map(_value, payloads, times))
            arguments = list(packed(values)) if is_packed else values
            yield str(len(arguments))
            yield from arguments
        case Replace(log, positions, payloads, old, expect):
            places = [b"%d" % position for position in positions]
            values = list(chain.from_iterable(zip(places, old, payloads, strict=True)))
            arrays = list(packed(values))
            yield from ("replace", log, _number(expect), str(len(arrays)))
            yield from arrays
        case Remove(log, after, before, expect):
            yield from ("remove", log, _number(expect), *bounds(after, before))
        case Annotate(log, note, expected):
            yield from ("note", log, b"" if expected is None else b"=" + expected, note)
        case Forget(log, expect):
            yield from ("forget", log, _number(expect))
        case _:
            yield from ("check", change.log, _number(change.expect))


def _value(payload: bytes, moment: float | None) -> bytes:
    return payload if moment is None else timed(payload, moment)


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _flag(value: object) -> str:
    return "1" if value else "0"
