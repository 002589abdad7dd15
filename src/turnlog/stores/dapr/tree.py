"""Tree of sealed documents: leaves hold records, inner documents hold references.

Sealed documents never change. A rewrite saves changed parts under new names, with all
documents on the path up to the root, and the old ones are deleted once the root is stored.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from itertools import count
from typing import Any

from turnlog.stores.dapr.documents import Part, Ref, Rows, Span, packed, unpacked
from turnlog.stores.dapr.keys import Paths
from turnlog.stores.dapr.sidecar import Sidecar

__all__ = ["Gone", "Rewrite", "Tree"]

#: How many references of one depth are moved into a document of their own.
_FAN = 16


class Gone(Exception):
    """A document that a root refers to is missing."""

    def __init__(self, ref: Ref | Part) -> None:
        super().__init__(ref)
        self.ref = ref


class Tree:
    """Reads the sealed documents whose keys are `paths`: those of one log, for example."""

    def __init__(self, sidecar: Sidecar, paths: Paths) -> None:
        self.sidecar = sidecar
        self.paths = paths

    async def read(
        self, refs: Sequence[Ref], span: Span, limit: int | None, *, oldest: bool = False
    ) -> Rows:
        """Reads the newest `limit` records inside `span`, or the oldest, and perhaps some more.

        Raises `Gone` for a missing document, as all methods do but `below` and `lists`.
        """
        chosen = _chosen(refs, span, limit, oldest)
        while any(ref.depth for ref in chosen):
            chosen = _chosen(await self._opened(chosen), span, limit, oldest)
        leaves = await self.leaves(chosen)
        return Rows.joined(leaf.inside(span) for leaf in leaves)

    async def leaves(self, refs: Sequence[Ref]) -> list[Rows]:
        """Reads leaf documents: the records of each ref."""
        return [Rows.of_json(content) for content in await self.contents(refs)]

    async def children(self, refs: Sequence[Ref]) -> list[list[Ref]]:
        """Reads inner documents: the child refs of each ref."""
        return [[Ref(*ref) for ref in content] for content in await self.contents(refs)]

    async def contents(self, refs: Sequence[Ref | Part]) -> list[Any]:
        """Reads documents of either kind, as JSON."""
        keys = [self.paths.document(ref.name) for ref in refs]
        found = await self.sidecar.find(*keys)
        for key, ref in zip(keys, refs, strict=True):
            if key not in found:
                raise Gone(ref)
        return [unpacked(found[key].data) for key in keys]

    async def below(self, refs: Sequence[Ref | Part]) -> list[str]:
        """The names of `refs` and of all documents below them. Missing ones are left out."""
        names = [ref.name for ref in refs]
        level = [ref.name for ref in refs if ref.depth]
        while level:
            found = await self.sidecar.find(*map(self.paths.document, level))
            inside = [ref for doc in found.values() for ref in unpacked(doc.data)]
            names += [name for name, *_ in inside]
            level = [name for name, depth, *_ in inside if depth]
        return names

    async def lists(self, refs: Sequence[Ref]) -> dict[str, list[str]]:
        """The lists of keys at and below `refs`, by name. Missing ones are left out."""
        keys = {self.paths.document(name): name for name in await self.below(refs)}
        found = await self.sidecar.find(*keys)
        contents = {keys[key]: unpacked(found[key].data) for key in found}
        # Inner documents are among them; these hold references, not texts.
        return {
            name: content
            for name, content in contents.items()
            if all(isinstance(each, str) for each in content)
        }

    async def _opened(self, refs: Sequence[Ref]) -> list[Ref]:
        deep = [ref for ref in refs if ref.depth]
        inside = dict(zip(deep, await self.children(deep), strict=True))
        return [child for ref in refs for child in inside.get(ref, [ref])]


class Rewrite:
    """One change of a tree: documents to save before the root is stored, or delete after."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        #: What to save, by key.
        self.documents: dict[str, bytes] = {}
        #: Also to save, by key: keys of earlier commits, which stay even if the root is not stored.
        self.facts: dict[str, bytes] = {}
        #: The names of documents to delete: their contents are in new ones now.
        self.replaced: list[str] = []
        #: Documents to delete with all that is below them.
        self.dropped: list[Ref | Part] = []
        # Every attempt has its own names, so that a late write of one can't damage another.
        self._prefix = secrets.token_hex(6)
        self._numbers = count()

    def seal(self, content: Sequence[Any]) -> str:
        """Seal a document with this content. Returns its name."""
        name = f"{self._prefix}.{next(self._numbers)}"
        self.documents[self.tree.paths.document(name)] = packed(content)
        return name

    def leaf(self, rows: Rows) -> Ref:
        """Seal a document with these records."""
        name = self.seal(rows.to_json())
        return Ref(name, 0, len(rows), rows.positions[0], rows.positions[-1])

    def node(self, refs: Sequence[Ref]) -> Ref:
        """Seal a document with these references."""
        depth = 1 + max(ref.depth for ref in refs)
        length = sum(ref.length for ref in refs)
        return Ref(self.seal(refs), depth, length, refs[0].first, refs[-1].last)

    def listed(self, names: Sequence[str], at: int) -> Ref:
        """Seal a list of these names, made at this time."""
        return Ref(self.seal(names), 0, len(names), at, at)

    async def save(self) -> None:
        """Save what the next root refers to."""
        await self.tree.sidecar.save(self.documents | self.facts)

    async def tidy(self, is_stored: bool) -> None:
        """Delete the documents that are not in use, now that the root is stored or is not."""
        unused = list(self.documents)
        if is_stored:
            names = [*self.replaced, *await self.tree.below(self.dropped)]
            unused = list(map(self.tree.paths.document, names))
        await self.tree.sidecar.drop(unused)

    def folded(self, refs: Sequence[Ref]) -> list[Ref]:
        """Replace runs of `_FAN` refs by one ref each, so that few are left."""
        refs, depth = list(refs), 0
        while True:
            start = len(refs)
            while start and refs[start - 1].depth <= depth:
                start -= 1
            if len(refs) - start < _FAN:
                return refs
            refs[start:] = [self.node(refs[start:])]
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
        self.replaced.append(ref.name)
        # At the end of the log they stay apart: records are mostly removed from there.
        at_end = span.before is None or span.before > ref.last
        return left if at_end or not left else [self.node(left)]

    async def _trimmed_leaf(self, ref: Ref, span: Span) -> list[Ref]:
        (rows,) = await self.tree.leaves([ref])
        left = rows.outside(span)
        if len(left) == len(rows):
            return [ref]
        self.replaced.append(ref.name)
        return [self.leaf(left)] if len(left) else []

    def take_back(self, ref: Ref) -> Rows | None:
        """The records of a leaf that this rewrite made, which then is not saved."""
        if ref.depth:
            return None
        data = self.documents.pop(self.tree.paths.document(ref.name), None)
        return None if data is None else Rows.of_json(unpacked(data))


def _chosen(refs: Sequence[Ref], span: Span, limit: int | None, oldest: bool) -> list[Ref]:
    """The fewest last of `refs`, or first, that are sure to hold `limit` records in `span`."""
    chosen: list[Ref] = []
    sure = 0
    for ref in refs if oldest else reversed(refs):
        if limit is not None and sure >= limit:
            break
        if span.meets(ref):
            chosen.append(ref)
            sure += ref.length if span.covers(ref) else 0
    return chosen if oldest else chosen[::-1]
