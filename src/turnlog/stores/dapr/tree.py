"""The sealed documents of a log: a tree whose leaves hold records, and which never changes.

What is changed gets documents of new names, the path from them up to the head included,
and the old ones are deleted once the head has moved.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from itertools import count
from typing import Any

from turnlog.stores.dapr.documents import Ref, Rows, Window, packed, unpacked
from turnlog.stores.dapr.keys import Place
from turnlog.stores.dapr.sidecar import Sidecar

__all__ = ["Draft", "Gone", "Tree"]

#: So many references of one depth are put into a document of their own.
_FAN = 16


class Gone(Exception):
    """A document that a head points at is not there."""

    def __init__(self, ref: Ref) -> None:
        super().__init__(ref)
        self.ref = ref


class Tree:
    """The sealed documents of the log at `place`, to read."""

    def __init__(self, sidecar: Sidecar, place: Place) -> None:
        self.sidecar = sidecar
        self.place = place

    async def read(self, refs: Sequence[Ref], window: Window, limit: int | None) -> Rows:
        """The newest `limit` records inside `window`, and perhaps some that are older.

        Raises `Gone`.
        """
        chosen = _newest(refs, window, limit)
        while any(ref.depth for ref in chosen):
            chosen = _newest(await self._opened(chosen), window, limit)
        leaves = await self.leaves(chosen)
        return Rows.joined(leaf.inside(window) for leaf in leaves)

    async def leaves(self, refs: Sequence[Ref]) -> list[Rows]:
        """What is in leaves."""
        return [Rows.of_json(content) for content in await self.contents(refs)]

    async def children(self, refs: Sequence[Ref]) -> list[list[Ref]]:
        """What is in documents that are no leaves."""
        return [[Ref(*ref) for ref in content] for content in await self.contents(refs)]

    async def contents(self, refs: Sequence[Ref]) -> list[Any]:
        """What is in any documents."""
        keys = [self.place.document(ref.name) for ref in refs]
        found = await self.sidecar.find(*keys)
        for key, ref in zip(keys, refs, strict=True):
            if key not in found:
                raise Gone(ref)
        return [unpacked(found[key].data) for key in keys]

    async def beneath(self, refs: Sequence[Ref]) -> list[Ref]:
        """All documents at and beneath `refs`, without those that are not there."""
        found: list[Ref] = list(refs)
        level = [ref for ref in refs if ref.depth]
        while level:
            keys = {self.place.document(ref.name) for ref in level}
            documents = await self.sidecar.find(*keys)
            level = [Ref(*ref) for doc in documents.values() for ref in unpacked(doc.data)]
            found += level
            level = [ref for ref in level if ref.depth]
        return found

    async def names(self, lists: Sequence[Ref]) -> list[str]:
        """What stands in leaves that hold names, as far as they are there."""
        keys = [self.place.document(ref.name) for ref in lists if not ref.depth]
        found = await self.sidecar.find(*keys)
        return [name for document in found.values() for name in unpacked(document.data)]

    async def _opened(self, refs: Sequence[Ref]) -> list[Ref]:
        deep = [ref for ref in refs if ref.depth]
        inside = dict(zip(deep, await self.children(deep), strict=True))
        return [child for ref in refs for child in inside.get(ref, [ref])]


class Draft:
    """Documents that are to be written before a head moves, and deleted afterwards."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.documents: dict[str, bytes] = {}
        #: The same, as references.
        self.sealed: list[Ref] = []
        #: Documents whose content went elsewhere.
        self.replaced: list[Ref] = []
        #: Documents that go with all that is beneath them.
        self.dropped: list[Ref] = []
        #: The same, of lists of keys that are to be forgotten too, and of which life of the log.
        self.lists: list[Ref] = []
        self.life = ""
        # Names of its own for every try, so that a try that was lost harms nobody.
        self._word = secrets.token_hex(6)
        self._numbers = count()

    def leaf(self, rows: Rows) -> Ref:
        """A document with these records."""
        span = rows.positions[0], rows.positions[-1]
        return self._sealed(rows.to_json(), 0, len(rows), *span)

    def listed(self, names: Sequence[str]) -> Ref:
        """A document with these names."""
        return self._sealed(list(names), 0, len(names), 0, 0)

    def folded(self, refs: Sequence[Ref]) -> list[Ref]:
        """`refs`, as few as will do."""
        refs, depth = list(refs), 0
        while True:
            start = len(refs)
            while start and refs[start - 1].depth <= depth:
                start -= 1
            if len(refs) - start < _FAN:
                return refs
            refs[start:] = [self._node(refs[start:])]
            depth += 1

    async def cut(self, refs: Sequence[Ref], window: Window) -> list[Ref]:
        """What is left of `refs` without the records inside `window`. Raises `Gone`."""
        kept: list[Ref] = []
        for ref in refs:
            if not window.meets(ref):
                kept.append(ref)
            elif window.covers(ref):
                self.dropped.append(ref)
            else:
                kept += await self._trimmed(ref, window)
        return kept

    async def _trimmed(self, ref: Ref, window: Window) -> list[Ref]:
        if not ref.depth:
            return await self._trimmed_leaf(ref, window)
        (children,) = await self.tree.children([ref])
        left = await self.cut(children, window)
        if left == children:
            return [ref]
        self.replaced.append(ref)
        # At the end of the log they stay apart: the next record to go is there, most likely.
        at_end = window.before is None or window.before > ref.last
        return left if at_end or not left else [self._node(left)]

    async def _trimmed_leaf(self, ref: Ref, window: Window) -> list[Ref]:
        (rows,) = await self.tree.leaves([ref])
        left = rows.outside(window)
        if len(left) == len(rows):
            return [ref]
        self.replaced.append(ref)
        return [self.leaf(left)] if len(left) else []

    def take_back(self, ref: Ref) -> Rows | None:
        """The records of a leaf that this draft made, which then is not written."""
        if ref.depth:
            return None
        data = self.documents.pop(self.tree.place.document(ref.name), None)
        return None if data is None else Rows.of_json(unpacked(data))

    def _node(self, refs: Sequence[Ref]) -> Ref:
        depth = 1 + max(ref.depth for ref in refs)
        length = sum(ref.length for ref in refs)
        return self._sealed(list(refs), depth, length, refs[0].first, refs[-1].last)

    def _sealed(self, content: list[Any], depth: int, length: int, first: int, last: int) -> Ref:
        ref = Ref(f"{self._word}.{next(self._numbers)}", depth, length, first, last)
        self.documents[self.tree.place.document(ref.name)] = packed(content)
        self.sealed.append(ref)
        return ref


def _newest(refs: Sequence[Ref], window: Window, limit: int | None) -> list[Ref]:
    """The last of `refs` that are sure to hold `limit` records inside `window`."""
    chosen: list[Ref] = []
    sure = 0
    for ref in reversed(refs):
        if limit is not None and sure >= limit:
            break
        if window.meets(ref):
            chosen.append(ref)
            sure += ref.length if window.covers(ref) else 0
    return chosen[::-1]
