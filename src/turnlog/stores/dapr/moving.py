"""Moving an older session into a root.

Any process may make these steps, and make them again: each older head is frozen by
compare-and-swap in a form that older code refuses with a `ValueError`; then the root takes the
place of the document of names; then the frozen heads are emptied. Until the second step, the
heads hold all; after it, the root does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from turnlog.records import Log
from turnlog.stores.dapr.cells import Cell, Edit, Version
from turnlog.stores.dapr.documents import unpacked
from turnlog.stores.dapr.draft import Draft
from turnlog.stores.dapr.keys import digest, paths_of
from turnlog.stores.dapr.older import HeadDocument, SessionDocument, former_hash
from turnlog.stores.dapr.root import KnownKey
from turnlog.stores.dapr.sidecar import Document, Sidecar
from turnlog.stores.dapr.tree import Tree

__all__ = ["Moving"]

#: How many fields an older head has. A frozen one is in a list, or is an empty list.
_FIELDS = 12


class _Read(NamedTuple):
    version: Version


class Moving:
    """The steps for one session.

    tree: gives the sealed documents of a log.
    """

    def __init__(self, sidecar: Sidecar, session: str, tree: Callable[[str], Tree]) -> None:
        self._sidecar = sidecar
        self._session = session
        self._tree = tree

    async def freeze(self, older: SessionDocument, draft: Draft) -> None:
        """Freeze the older heads, and make `draft` the session's root."""
        draft.older = tuple(dict.fromkeys(["main", *older.logs]))
        draft.top = max(draft.top, older.epoch)
        draft.renewed = older.renewed
        # Every process that moves the session gives it the same life, and its keys the same
        # documents.
        draft.life = digest(f"{older.epoch}")[: len(draft.life)]
        for name in draft.older:
            body = await self._frozen(paths_of(Log(self._session, name)).head)
            if body is not None:
                await self._take(name, HeadDocument.of_json(body), older.epoch, draft)
        if draft.heads:
            draft.begin()

    async def empty(self, names: tuple[str, ...], draft: Draft) -> None:
        """Empty the frozen heads of `names`, whose contents are in the root by now."""
        await draft.load(names)
        for name in names:
            tree = self._tree(name)
            body = await self._frozen(tree.paths.head)
            if body is not None:
                await self._drop(tree, HeadDocument.of_json(body), is_kept=name in draft.heads)
            await self._write(tree.paths.head, lambda body: [] if body else None)
        draft.older = ()

    async def _drop(self, tree: Tree, head: HeadDocument, *, is_kept: bool) -> None:
        """Delete the documents that only the older head names.

        is_kept: whether the root has taken over the log with its sealed documents.
        """
        unused = await self._written(tree, head)
        unused += map(tree.paths.document, await tree.below(head.key_refs))
        if not is_kept:
            unused += map(tree.paths.document, await tree.below(head.head.refs))
        await self._sidecar.drop(unused)

    async def _frozen(self, key: str) -> list[Any] | None:
        """The content of an older head, which is frozen by now; None if there is none."""
        body = await self._write(key, lambda body: None if _is_frozen(body) else [body])
        return body if body is None or not _is_frozen(body) else (body[0] if body else None)

    async def _write(
        self, key: str, make: Callable[[list[Any] | None], list[Any] | None]
    ) -> list[Any] | None:
        """Change an older head; None leaves it. Returns what it was before."""

        async def find() -> _Read:
            return _Read(Version.of((await self._sidecar.find(key)).get(key)))

        async def edit(found: _Read) -> Edit[list[Any] | None]:
            return Edit(found.version.body, make(found.version.body))

        return await Cell(self._sidecar, key).update(find, edit)

    async def _take(self, name: str, older: HeadDocument, epoch: int, draft: Draft) -> None:
        """Take a frozen head into the root, unless its log was deleted."""
        draft.top = max(draft.top, older.top)
        if not older.live or older.epoch < epoch:
            return
        draft.put(name, older.head)
        draft.copied = older.copied if name == "main" else draft.copied
        tree = self._tree(name)
        documents = await self._sidecar.find(*await self._written(tree, older))
        sealed = {key[len(tree.paths.written("")) :]: doc.data for key, doc in documents.items()}
        keys = {key: unpacked(data)[1] for key, data in sealed.items()} | dict(older.keys)
        draft.keys += tuple(
            KnownKey(former_hash(name, key), b"", (position,)) for key, position in keys.items()
        )

    async def _written(self, tree: Tree, older: HeadDocument) -> list[str]:
        """The keys of the documents that remember writes of this life of an older log."""
        lists = await tree.lists(older.key_refs)
        keys = [tree.paths.written(key) for names in lists.values() for key in names]
        documents = await self._sidecar.find(*keys)
        return [key for key in keys if key in documents and _life(documents[key]) == older.life]


def _is_frozen(body: list[Any] | None) -> bool:
    """Whether the head is frozen, which older code can't read."""
    return body is not None and len(body) < _FIELDS


def _life(document: Document) -> object:
    return unpacked(document.data)[0]
