"""Cuts: up to where older items can be covered by a summary.

A cut lies between two turns. It never divides a call from its output, and never lies behind a call
that a run under way may still answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.items.json import Item
from turnlog.items.pairing import pairs_in
from turnlog.items.turns import settled, turn_starts

__all__ = ["cut"]


def cut(
    decoded: Sequence[Item | None], keep: int, *, ended: int = 0, open_from: int | None = None
) -> int:
    """How many of `decoded` a summary may cover; 0 if nothing may be covered.

    decoded: the newest records of a branch, oldest first; None is one that can't be read.
    keep: how many of the newest turns stay as they are. The last one stays in any case as long
        as it has no answer.
    ended: turns that begin among the first `ended` are over, whatever they show.
    open_from: a call from this index on that has no output may still get one, because a run is
        under way; None if none is.
    """
    starts = turn_starts(decoded)
    kept = starts[len(starts) - keep :] if keep else []
    if keep > len(starts):
        return 0
    most = min(settled(decoded, ended), *kept[:1], len(decoded))
    places = [start for start in starts if 0 < start < most] + [most]
    spans = _spans(decoded, open_from)
    return next((at for at in reversed(places) if not _divides(at, spans)), 0)


def _spans(decoded: Sequence[Item | None], open_from: int | None) -> list[tuple[int, float]]:
    """The index of each call and of its output; infinite where one may still come."""
    places = [place for place, item in enumerate(decoded) if item is not None]
    pairs = pairs_in([item for item in decoded if item is not None])
    spans: list[tuple[int, float]] = []
    for call, output in pairs.outputs.items():
        if output is not None:
            spans.append((places[call], places[output]))
        elif open_from is not None and places[call] >= open_from:
            spans.append((places[call], float("inf")))
    return spans


def _divides(at: int, spans: Sequence[tuple[int, float]]) -> bool:
    return any(call < at <= output for call, output in spans)
