"""Older documents: a session as one document of names and a head for each log.

They are moved into a root in steps that any process may make, and make again: each older head
is frozen by compare-and-swap in a form that older code refuses with a `ValueError`; then the root
takes the place of the document of names; then the frozen heads are emptied. Until the second
step, the heads hold all; after it, the root does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from turnlog.records import Log
from turnlog.stores.dapr.cells import Cell, Edit, Version
from turnlog.stores.dapr.documents import Ref, Rows, as_bytes, unpacked
from turnlog.stores.dapr.keys import digest, paths_of
from turnlog.stores.dapr.root import Known, LogHead
from turnlog.stores.dapr.sidecar import Document, Sidecar
from turnlog.stores.dapr.tree import Tree

if TYPE_CHECKING:
    from turnlog.stores.dapr.draft import Draft
    from turnlog.stores.dapr.sessionfile import Found, SessionFile

__all__ = ["HeadDocument", "SessionDocument", "empty", "former_hash", "freeze"]


#: How many fields an older head has. A frozen one is in a list, or is an empty list.
_FIELDS = 12
#: Older documents of sessions begin with a time in microseconds, roots with a small number.
_FIRST_EPOCH = 10**12


class _Read(NamedTuple):
    version: Version


@dataclass(frozen=True)
class SessionDocument:
    """A session in the older format."""

    #: Heads of an earlier epoch belong to a session that was deleted.
    epoch: int
    #: The names of all logs that the session has had in this epoch, deleted ones too.
    logs: tuple[str, ...]
    #: When all documents of the session were last written again, in microseconds.
    renewed: int

    @classmethod
    def found(cls, body: list[Any] | None) -> SessionDocument | None:
        """The session in this document; None if there is none, or one in another format."""
        if body is None or body[0] < _FIRST_EPOCH:
            return None
        epoch, logs, _, renewed = body
        return cls(epoch, tuple(logs), renewed)


@dataclass(frozen=True)
class HeadDocument:
    """The head of a log in the older format."""

    live: bool
    epoch: int
    #: Names this life of the log; the documents of keys begin with it.
    life: str
    top: int
    head: LogHead
    #: The newest writes with a key: digest of the key, last position.
    keys: tuple[tuple[str, int], ...]
    key_refs: tuple[Ref, ...]
    #: The etag of the SDK's array that this was copied from.
    copied: str | None

    @classmethod
    def of_json(cls, value: list[Any]) -> HeadDocument:
        """The head in this document."""
        live, epoch, life, top, created, updated, note, refs, tail, keys, key_refs, copied = value
        head = LogHead(
            created,
            updated,
            as_bytes(note),
            tuple(Ref(*ref) for ref in refs),
            Rows.of_json(tail),
        )
        known = tuple((name, position) for name, position in keys)
        return cls(live, epoch, life, top, head, known, tuple(Ref(*r) for r in key_refs), copied)


def former_hash(log: str, key_digest: str) -> str:
    """The hash under which a root knows a key of one log of an older session."""
    return digest(f"{log}:{key_digest}")


async def freeze(file: SessionFile, found: Found, draft: Draft) -> None:
    """Freeze the heads of an older session, and make a draft of its root. Work of `write`."""
    if found.older is None:
        return
    draft.older = tuple(dict.fromkeys(["main", *found.older.logs]))
    draft.top = max(draft.top, found.older.epoch)
    draft.renewed = found.older.renewed
    # Every process that moves the session gives it the same life, and its keys the same documents.
    draft.life = digest(f"{found.older.epoch}")[: len(draft.life)]
    for name in draft.older:
        body = await _frozen(file.sidecar, paths_of(Log(file.session, name)).head)
        if body is not None:
            await _take(name, HeadDocument.of_json(body), found.older.epoch, file, draft)
    if draft.heads:
        draft.begin()


async def empty(file: SessionFile, found: Found, draft: Draft) -> None:
    """Empty the frozen heads, whose contents are in the root. Work of `write`."""
    await draft.load(found.root.older)
    for name in found.root.older:
        tree = file.tree(name)
        body = await _frozen(file.sidecar, tree.paths.head)
        if body is not None:
            head = HeadDocument.of_json(body)
            unused = await _written(tree, head)
            unused += map(tree.paths.document, await tree.below(head.key_refs))
            if name not in draft.heads:
                unused += map(tree.paths.document, await tree.below(head.head.refs))
            await file.sidecar.drop(unused)
        await _write(file.sidecar, tree.paths.head, lambda body: [] if body else None)
    draft.older = ()


async def _frozen(sidecar: Sidecar, key: str) -> list[Any] | None:
    """The content of an older head, which is frozen by now; None if there is none."""
    body = await _write(sidecar, key, lambda body: None if _is_frozen(body) else [body])
    return body if body is None or not _is_frozen(body) else (body[0] if body else None)


def _is_frozen(body: list[Any] | None) -> bool:
    """Whether the head is frozen, which older code can't read."""
    return body is not None and len(body) < _FIELDS


async def _write(
    sidecar: Sidecar, key: str, make: Callable[[list[Any] | None], list[Any] | None]
) -> list[Any] | None:
    """Change an older head; None leaves it. Returns what it was before."""

    async def find() -> _Read:
        return _Read(Version.of((await sidecar.find(key)).get(key)))

    async def edit(found: _Read) -> Edit[list[Any] | None]:
        return Edit(found.version.body, make(found.version.body))

    return await Cell(sidecar, key).update(find, edit)


async def _take(
    name: str, older: HeadDocument, epoch: int, file: SessionFile, draft: Draft
) -> None:
    """Take a frozen head into the root, unless its log was deleted."""
    draft.top = max(draft.top, older.top)
    if not older.live or older.epoch < epoch:
        return
    draft.put(name, older.head)
    draft.copied = older.copied if name == "main" else draft.copied
    tree = file.tree(name)
    documents = await file.sidecar.find(*await _written(tree, older))
    sealed = {key[len(tree.paths.written("")) :]: doc.data for key, doc in documents.items()}
    keys = {key: unpacked(data)[1] for key, data in sealed.items()} | dict(older.keys)
    draft.keys += tuple(
        Known(former_hash(name, key), b"", (position,)) for key, position in keys.items()
    )


async def _written(tree: Tree, older: HeadDocument) -> list[str]:
    """The keys of the documents that remember writes of this life of an older log."""
    lists = await tree.lists(older.key_refs)
    keys = [tree.paths.written(key) for names in lists.values() for key in names]
    documents = await tree.sidecar.find(*keys)
    return [key for key in keys if key in documents and _life(documents[key]) == older.life]


def _life(document: Document) -> object:
    return unpacked(document.data)[0]
