"""Inventory of a session: the documents that a root refers to, to renew and to delete them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from turnlog.stores.dapr.documents import Ref, unpacked
from turnlog.stores.dapr.draft import Draft
from turnlog.stores.dapr.root import LogHead, Root
from turnlog.stores.dapr.sealed import Range, SortedMap
from turnlog.stores.dapr.sidecar import Sidecar
from turnlog.stores.dapr.tree import Tree

__all__ = ["Inventory"]

#: How many documents are read and written again at once.
_AT_ONCE = 64


class Inventory:
    """Lists documents of one session.

    tree: gives the tree of each log by its name, and that of the session for "".
    """

    def __init__(self, sidecar: Sidecar, tree: Callable[[str], Tree]) -> None:
        self._sidecar = sidecar
        self._tree = tree
        self._map = SortedMap(tree(""))

    async def heads(self, root: Root) -> dict[str, LogHead]:
        """The heads of all logs. Raises `Gone`."""
        cold = await self._map.scan(root.cold, Range())
        return {name: LogHead.of_json(head) for name, head in cold} | dict(root.logs)

    async def renew(self, root: Root) -> None:
        """Write all documents again, unchanged, so that their ttl starts again."""
        keys = [*await self._documents(root), *await self._written(_lists(root))]
        for start in range(0, len(keys), _AT_ONCE):
            found = await self._sidecar.find(*keys[start : start + _AT_ONCE])
            await self._sidecar.save({key: found[key].data for key in found})

    async def delete(self, root: Root) -> None:
        """Delete all documents."""
        documents = await self._documents(root)
        keys = [self._tree("").paths.written(known.hash) for known in root.keys]
        keys += await self._written(_lists(root))
        await self._forget(keys, lambda life, _at: life == root.life)
        await self._sidecar.drop(documents)

    async def tidy(self, draft: Draft) -> None:
        """Delete the documents that are not in use since the root of this draft was stored."""
        for rewrite in draft.rewrites:
            await rewrite.tidy(is_stored=True)
        if not draft.expired:
            return
        unused = self._keys("", await self._tree("").below(draft.expired))
        expired = await self._written(draft.expired)
        await self._forget(expired, lambda life, at: life == draft.life and 0 < at < draft.horizon)
        await self._sidecar.drop(unused)

    async def _documents(self, root: Root) -> list[str]:
        """The keys of all documents but those of keys."""
        beside = self._tree("")
        keys = self._keys("", await beside.below([*root.cold, *_lists(root)]))
        for name, head in (await self.heads(root)).items():
            keys += self._keys(name, await self._tree(name).below(head.refs))
        return keys

    async def _written(self, lists: Sequence[Ref]) -> list[str]:
        found = await self._tree("").lists(lists)
        return [self._tree("").paths.written(hash_) for each in found.values() for hash_ in each]

    async def _forget(self, keys: Sequence[str], is_unused: Callable[[str, int], bool]) -> None:
        """Delete those of these documents of keys whose life and time are not in use."""
        for key, document in (await self._sidecar.find(*keys)).items():
            life, *_, at = unpacked(document.data)
            if is_unused(life, at):
                await self._sidecar.delete(key, document.etag)

    def _keys(self, name: str, documents: Iterable[str]) -> list[str]:
        return [self._tree(name).paths.document(each) for each in documents]


def _lists(root: Root) -> list[Ref]:
    return [*root.lasting, *root.brief]
