"""Packing: many values as few arguments of a script, which unpacks them with `cmsgpack`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from struct import Struct

__all__ = ["packed"]

# How many values one argument holds, and from how many bytes on no more are added to it.
_VALUES, _BYTES = 1000, 2**22

_head = Struct(">BI").pack
_ARRAY, _TEXT = 0xDD, 0xDB  # of MessagePack, each before a length of four bytes


def packed(values: Sequence[bytes]) -> Iterator[bytes]:
    """MessagePack arrays which hold `values` together."""
    for some in _pieces(values):
        texts = chain.from_iterable((_head(_TEXT, len(value)), value) for value in some)
        yield b"".join((_head(_ARRAY, len(some)), *texts))


def _pieces(values: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(values), _VALUES):
        some = values[start : start + _VALUES]
        if sum(map(len, some)) <= _BYTES:
            yield some
        else:  # each alone, because the server takes no argument of more than 512 MB
            yield from ([value] for value in some)
