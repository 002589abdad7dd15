"""Tree of sealed documents: leaves hold records, inner documents hold references.

Sealed documents never change. A rewrite saves changed parts under new names, with all
documents on the path up to the head, and the old ones are deleted once the head is stored.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from itertools import count
from typing import Any

from turnlog.stores.dapr.documents import Ref, Rows, Span, packed, unpacked
from turnlog.stores.dapr.keys import Paths
from turnlog.stores.dapr.sidecar import Sidecar

__all__ = ["Gone", "Rewrite", "Tree"]

#: How many references of one depth are moved into a document of their own.
_FAN = 16


class Gone(Exception):
    """A document that a head refers to is missing."""

    def __init__(self, ref: Ref) -> None:
        super().__init__(ref)
        self.ref = ref


class Tree:
    """Reads the sealed documents of one log."""

    def __init__(self, sidecar: Sidecar, paths: Paths) -> None:
        self.sidecar = sidecar
        self.paths = paths

    async def read(self, refs: Sequence[Ref], span: Span, limit: int | None) -> Rows:
        """Reads the newest `limit` records inside `span`, and perhaps some older ones.

        Raises `Gone` for a missing document, as all methods do but `below` and `names`.
        """
        chosen = _newest(refs, span, limit)
        while any(ref.depth for ref in chosen):
            chosen = _newest(await self._opened(chosen), span, limit)
        leaves = await self.leaves(chosen)
        return Rows.joined(leaf.inside(span) for leaf in leaves)

    async def leaves(self, refs: Sequence[Ref]) -> list[Rows]:
        """Reads leaf documents: the records of each ref."""
        return [Rows.of_json(content) for content in await self.contents(refs)]

    async def children(self, refs: Sequence[Ref]) -> list[list[Ref]]:
        """Reads inner documents: the child refs of each ref."""
        return [[Ref(*ref) for ref in content] for content in await self.contents(refs)]

    async def contents(self, refs: Sequence[Ref]) -> list[Any]:
        """Reads documents of either kind, as JSON."""
        keys = [self.paths.document(ref.name) for ref in refs]
        found = await self.sidecar.find(*keys)
        for key, ref in zip(keys, refs, strict=True):
            if key not in found:
                raise Gone(ref)
        return [unpacked(found[key].data) for key in keys]

    async def below(self, refs: Sequence[Ref]) -> list[Ref]:
        """Lists `refs` and all documents below them. Missing ones are left out."""
        found: list[Ref] = list(refs)
        level = [ref for ref in refs if ref.depth]
        while level:
            keys = {self.paths.document(ref.name) for ref in level}
            documents = await self.sidecar.find(*keys)
            level = [Ref(*ref) for doc in documents.values() for ref in unpacked(doc.data)]
            found += level
            level = [ref for ref in level if ref.depth]
        return found

    async def names(self, lists: Sequence[Ref]) -> list[str]:
        """Reads leaf documents that hold names. Missing ones are left out."""
        keys = [self.paths.document(ref.name) for ref in lists if not ref.depth]
        found = await self.sidecar.find(*keys)
        return [name for document in found.values() for name in unpacked(document.data)]

    async def _opened(self, refs: Sequence[Ref]) -> list[Ref]:
        deep = [ref for ref in refs if ref.depth]
        inside = dict(zip(deep, await self.children(deep), strict=True))
        return [child for ref in refs for child in inside.get(ref, [ref])]


class Rewrite:
    """One change of a tree: documents to save before the head is stored, or delete after."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.documents: dict[str, bytes] = {}
        #: References to them.
        self.sealed: list[Ref] = []
        #: Documents whose content is in new ones now.
        self.replaced: list[Ref] = []
        #: Documents to delete with all that is below them.
        self.dropped: list[Ref] = []
        #: The same, for lists of keys that are to be forgotten too; `life` is their log's.
        self.lists: list[Ref] = []
        self.life = ""
        # Every attempt has its own names, so that a late write of one can't damage another.
        self._prefix = secrets.token_hex(6)
        self._numbers = count()

    def leaf(self, rows: Rows) -> Ref:
        """Seal a document with these records."""
        first, last = rows.positions[0], rows.positions[-1]
        return self._sealed(rows.to_json(), 0, len(rows), first, last)

    def listed(self, names: Sequence[str]) -> Ref:
        """Seal a document with these names."""
        return self._sealed(list(names), 0, len(names), 0, 0)

    def folded(self, refs: Sequence[Ref]) -> list[Ref]:
        """Replace runs of `_FAN` refs by one ref each, so that few are left."""
        refs, depth = list(refs), 0
        while True:
            start = len(refs)
            while start and refs[start - 1].depth <= depth:
                start -= 1
            if len(refs) - start < _FAN:
                return refs
            refs[start:] = [self._node(refs[start:])]
            depth += 1

    async def cut(self, refs: Sequence[Ref], span: Span) -> list[Ref]:
        """Remove the records inside `span`; returns the refs that are left. Raises `Gone`."""
        kept: list[Ref] = []
        for ref in refs:
            if not span.meets(ref):
                kept.append(ref)
            elif span.covers(ref):
                self.dropped.append(ref)
            else:
                kept += await self._trimmed(ref, span)
        return kept

    async def _trimmed(self, ref: Ref, span: Span) -> list[Ref]:
        if not ref.depth:
            return await self._trimmed_leaf(ref, span)
        (children,) = await self.tree.children([ref])
        left = await self.cut(children, span)
        if left == children:
            return [ref]
        self.replaced.append(ref)
        # At the end of the log they stay apart: records are mostly removed from there.
        at_end = span.before is None or span.before > ref.last
        return left if at_end or not left else [self._node(left)]

    async def _trimmed_leaf(self, ref: Ref, span: Span) -> list[Ref]:
        (rows,) = await self.tree.leaves([ref])
        left = rows.outside(span)
        if len(left) == len(rows):
            return [ref]
        self.replaced.append(ref)
        return [self.leaf(left)] if len(left) else []

    def take_back(self, ref: Ref) -> Rows | None:
        """The records of a leaf that this rewrite made, which then is not saved."""
        if ref.depth:
            return None
        data = self.documents.pop(self.tree.paths.document(ref.name), None)
        return None if data is None else Rows.of_json(unpacked(data))

    def _node(self, refs: Sequence[Ref]) -> Ref:
        depth = 1 + max(ref.depth for ref in refs)
        length = sum(ref.length for ref in refs)
        return self._sealed(list(refs), depth, length, refs[0].first, refs[-1].last)

    def _sealed(self, content: list[Any], depth: int, length: int, first: int, last: int) -> Ref:
        ref = Ref(f"{self._prefix}.{next(self._numbers)}", depth, length, first, last)
        self.documents[self.tree.paths.document(ref.name)] = packed(content)
        self.sealed.append(ref)
        return ref


def _newest(refs: Sequence[Ref], span: Span, limit: int | None) -> list[Ref]:
    """The fewest last of `refs` that are sure to hold `limit` records inside `span`."""
    chosen: list[Ref] = []
    sure = 0
    for ref in reversed(refs):
        if limit is not None and sure >= limit:
            break
        if span.meets(ref):
            chosen.append(ref)
            sure += ref.length if span.covers(ref) else 0
    return chosen[::-1]
