"""Replacing records: the sealed documents that hold them are read, and sealed again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import Any, Self

from turnlog.stores.dapr.documents import Ref, Rows, groups
from turnlog.stores.dapr.tree import Rewrite, Tree

__all__ = ["Opened"]


class Opened:
    """The documents of one log that may hold certain records, with all documents above them."""

    def __init__(self) -> None:
        #: By the names of the documents.
        self._leaves: dict[str, Rows] = {}
        self._nodes: dict[str, list[Ref]] = {}

    @classmethod
    async def read(cls, tree: Tree, refs: Sequence[Ref], positions: Sequence[int]) -> Self:
        """Read them, each level of the tree at once. Raises `Gone`.

        positions: those of the records, in ascending order.
        """
        opened = cls()
        level = _around(refs, positions)
        while level:
            contents = await tree.contents(level)
            children = [opened._add(*each) for each in zip(level, contents, strict=True)]
            level = [ref for refs in children for ref in _around(refs, positions)]
        return opened

    def payloads(self) -> dict[int, bytes]:
        """The payloads of all records in these documents, by position."""
        return {
            position: payload
            for rows in self._leaves.values()
            for position, payload in zip(rows.positions, rows.payloads, strict=True)
        }

    def rewritten(self, refs: Sequence[Ref], new: Mapping[int, bytes], to: Rewrite) -> list[Ref]:
        """References to the same records with `new` payloads; no other documents are sealed again.

        new: by position; those with which the documents were read.
        """
        return [made for ref in refs for made in self._rewritten(ref, new, to)]

    def _add(self, ref: Ref, content: list[Any]) -> list[Ref]:
        """Remember a document. Returns its references."""
        if not ref.depth:
            self._leaves[ref.name] = Rows.of_json(content)
            return []
        self._nodes[ref.name] = [Ref(*child) for child in content]
        return self._nodes[ref.name]

    def _rewritten(self, ref: Ref, new: Mapping[int, bytes], to: Rewrite) -> list[Ref]:
        if ref.name in self._leaves:
            rows = self._leaves[ref.name].with_payloads(new)
            # Where the new payloads are longer, one document may not hold them all.
            made = [to.leaf(group) for group in groups(rows)]
        elif ref.name in self._nodes:
            made = [to.node(self.rewritten(self._nodes[ref.name], new, to))]
        else:
            return [ref]
        to.replaced.append(ref.name)
        return made


def _around(refs: Sequence[Ref], positions: Sequence[int]) -> list[Ref]:
    """Those of `refs` below which one of the positions may be."""
    return [
        ref
        for ref in refs
        if bisect_left(positions, ref.first) < bisect_left(positions, ref.last + 1)
    ]
