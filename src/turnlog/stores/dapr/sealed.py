"""Sorted maps in sealed documents: a search tree with texts as keys.

Leaves hold keys and values, inner documents hold references; none ever changes. A rewrite
saves the changed ones under new names, up to the parts that the owner of the map keeps.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple, TypeAlias, TypeVar

from turnlog.stores.dapr.documents import Part
from turnlog.stores.dapr.tree import Rewrite, Tree

__all__ = ["Entry", "Range", "SortedMap"]

T = TypeVar("T")

#: The most entries of a leaf, and the most references of an inner document.
_ENTRIES = 32
_FAN = 24

#: A key and its value.
Entry: TypeAlias = tuple[str, Any]


class Range(NamedTuple):
    """The keys with start <= key < stop; a `stop` of None is behind all keys."""

    start: str = ""
    stop: str | None = None

    def holds(self, key: str) -> bool:
        """Whether `key` is inside."""
        return key >= self.start and (self.stop is None or key < self.stop)

    def meets(self, part: Part) -> bool:
        """Whether keys below `part` may be inside."""
        return part.last >= self.start and (self.stop is None or part.first < self.stop)

    def covers(self, part: Part) -> bool:
        """Whether all keys below `part` are inside."""
        return self.holds(part.first) and self.holds(part.last)


class SortedMap:
    """Reads and rewrites maps. The owner of a map keeps its parts, which all have one depth."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    async def get(self, parts: Sequence[Part], keys: Iterable[str]) -> dict[str, Any]:
        """The values of those of `keys` that the map holds."""
        wanted = set(keys)
        parts = _around(parts, wanted)
        while parts and parts[0].depth:
            parts = _around(await self._children(parts), wanted)
        return {key: value for key, value in await self._entries(parts) if key in wanted}

    async def scan(
        self, parts: Sequence[Part], inside: Range, limit: int | None = None, *, last: bool = False
    ) -> list[Entry]:
        """The first `limit` entries inside a range, in order; with `last`, the last ones."""
        parts = _chosen(parts, inside, limit, last)
        while parts and parts[0].depth:
            parts = _chosen(await self._children(parts), inside, limit, last)
        found = [entry for entry in await self._entries(parts) if inside.holds(entry[0])]
        if limit is None:
            return found
        return found[max(0, len(found) - limit) :] if last else found[:limit]

    async def count(self, parts: Sequence[Part], inside: Range) -> int:
        """The number of keys inside a range, and a few more at its ends."""
        sure = 0
        while parts:
            parts = [part for part in parts if inside.meets(part)]
            whole = [part for part in parts if not part.depth or inside.covers(part)]
            sure += sum(part.length for part in whole)
            parts = [part for part in parts if part not in whole]
            parts = await self._children(parts) if parts else []
        return sure

    async def merged(
        self, parts: Sequence[Part], changes: Mapping[str, Any], rewrite: Rewrite
    ) -> list[Part]:
        """The parts of the map after `changes`: new values of keys; None removes a key."""
        if not parts:
            return _raised(_leaves(changes, rewrite), rewrite)
        return _raised(await self._level(parts, changes, rewrite), rewrite)

    async def _level(
        self, parts: Sequence[Part], changes: Mapping[str, Any], rewrite: Rewrite
    ) -> list[Part]:
        """`parts` after `changes`. Neighbours that change are written together, evenly filled."""
        runs = [list(run) for _, run in groupby(_shares(parts, changes), lambda each: not each[1])]
        return _joined(await asyncio.gather(*(self._run(run, rewrite) for run in runs)))

    async def _run(self, run: list[tuple[Part, dict[str, Any]]], rewrite: Rewrite) -> list[Part]:
        """Neighbouring parts after the changes of each; either all of them change, or none."""
        parts = [part for part, _ in run]
        if not run[0][1]:
            return parts
        rewrite.replaced += [part.name for part in parts]
        contents = await self._tree.contents(parts)
        if not parts[0].depth:
            entries = dict(_joined(contents))
            for _, changes in run:
                entries.update(changes)
            return _leaves(entries, rewrite)
        levels = [
            self._level([Part(*child) for child in content], changes, rewrite)
            for content, (_, changes) in zip(contents, run, strict=True)
        ]
        return _nodes(_joined(await asyncio.gather(*levels)), rewrite)

    async def _children(self, parts: Sequence[Part]) -> list[Part]:
        return [Part(*child) for child in _joined(await self._tree.contents(parts))]

    async def _entries(self, parts: Sequence[Part]) -> list[Entry]:
        return [(key, value) for key, value in _joined(await self._tree.contents(parts))]


def _around(parts: Sequence[Part], keys: set[str]) -> list[Part]:
    return [part for part in parts if any(part.first <= key <= part.last for key in keys)]


def _chosen(parts: Sequence[Part], inside: Range, limit: int | None, last: bool) -> list[Part]:
    """The fewest first of `parts`, or last, that are sure to hold `limit` entries inside."""
    chosen: list[Part] = []
    sure = 0
    for part in reversed(parts) if last else parts:
        if limit is not None and sure >= limit:
            break
        if inside.meets(part):
            chosen.append(part)
            sure += part.length if inside.covers(part) else 0
    return chosen[::-1] if last else chosen


def _shares(parts: Sequence[Part], changes: Mapping[str, Any]) -> list[tuple[Part, dict[str, Any]]]:
    """Each part with the changes that belong into it."""
    starts = [part.first for part in parts]
    shares: list[dict[str, Any]] = [{} for _ in parts]
    for key, value in changes.items():
        shares[max(0, bisect_right(starts, key) - 1)][key] = value
    return list(zip(parts, shares, strict=True))


def _leaves(entries: Mapping[str, Any], rewrite: Rewrite) -> list[Part]:
    left = sorted(entry for entry in entries.items() if entry[1] is not None)
    return [
        Part(rewrite.seal(group), 0, len(group), group[0][0], group[-1][0])
        for group in _even(left, _ENTRIES)
    ]


def _nodes(parts: Sequence[Part], rewrite: Rewrite) -> list[Part]:
    return [
        Part(
            rewrite.seal(group),
            group[0].depth + 1,
            sum(part.length for part in group),
            group[0].first,
            group[-1].last,
        )
        for group in _even(parts, _FAN)
    ]


def _raised(parts: list[Part], rewrite: Rewrite) -> list[Part]:
    """Parts below which the same entries are, few enough for their owner."""
    while len(parts) > _FAN:
        parts = _nodes(parts, rewrite)
    return parts


def _even(values: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    """Split into as few groups of at most `most` as possible, all of about one size."""
    number = -(-len(values) // most)
    for n in range(number):
        yield values[n * len(values) // number : (n + 1) * len(values) // number]


def _joined(lists: Iterable[Iterable[T]]) -> list[T]:
    return [value for each in lists for value in each]
