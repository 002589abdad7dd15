"""Log files: one log as a head document, changed by compare-and-swap, and sealed documents.

With a ttl, the head is written by every write and is kept for the ttl from then on. All
other documents are kept for twice as long and written again once half the ttl has passed.
So the head is the first to expire, and what it refers to is there until then.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TypeAlias, TypeVar

from dapr.clients.exceptions import DaprGrpcError

from turnlog.errors import Unreadable
from turnlog.records import Log
from turnlog.stores.dapr.cells import Cell, Edit, Version
from turnlog.stores.dapr.documents import HeadDocument, Ref, Rows, SessionDocument, Span, unpacked
from turnlog.stores.dapr.keys import Paths
from turnlog.stores.dapr.sidecar import Document, Sidecar, status
from turnlog.stores.dapr.tree import Gone, Rewrite, Tree

__all__ = ["Change", "Found", "LogFile", "Made", "PreparedChange"]

_logger = logging.getLogger(__name__)

T = TypeVar("T")

#: How many documents are read and written again at once.
_AT_ONCE = 64


@dataclass(frozen=True)
class Found:
    """A log as one request found it, with its session and any other documents asked for."""

    version: Version
    session: SessionDocument | None
    others: dict[str, Document]

    @cached_property
    def stored(self) -> HeadDocument | None:
        """The head as stored; that of a deleted log, too."""
        return None if self.version.body is None else HeadDocument.of_json(self.version.body)

    @cached_property
    def head(self) -> HeadDocument | None:
        """The head, None when the log does not exist."""
        head = self.stored
        epoch = 0 if self.session is None else self.session.epoch
        return head if head is not None and head.live and head.epoch >= epoch else None


#: The answer of a write and the log's next head; None leaves the head as it is.
Made: TypeAlias = tuple[T, HeadDocument | None]
Change: TypeAlias = Callable[[Found, Rewrite], Awaitable[Made[T]]]
#: A change that may have to prepare something else first. None: it has, and the log must be
#: read again.
PreparedChange: TypeAlias = Callable[[Found, Rewrite], Awaitable[Made[T] | None]]


class LogFile:
    """The documents of one log.

    session_key: the key of the session's document, if the log belongs to a session.
    """

    def __init__(
        self, sidecar: Sidecar, log: Log, paths: Paths, session_key: str | None = None
    ) -> None:
        self.log = log
        self.paths = paths
        self.tree = Tree(sidecar, paths)
        self._sidecar = sidecar
        self._cell = Cell(sidecar, paths.head)
        self._session_key = session_key

    async def find(self, *keys: str) -> Found:
        """Read the head and the session's document, and the documents `keys` as well."""
        session_keys = [] if self._session_key is None else [self._session_key]
        return self.seen(await self._sidecar.find(self.paths.head, *session_keys, *keys))

    def seen(self, documents: dict[str, Document]) -> Found:
        """The log as it is in `documents`, which were read before."""
        session = Version.of(documents.get(self._session_key or "")).body
        return Found(
            version=Version.of(documents.get(self.paths.head)),
            session=None if session is None else SessionDocument.of_json(session),
            others=documents,
        )

    async def read(self, found: Found, span: Span, limit: int | None) -> Rows:
        """The newest `limit` records inside `span`, of the log as found or as it is by now."""
        while True:
            try:
                return await self._read(found.head, span, limit)
            except Gone as gone:
                found = await self._newer(found, gone)

    async def write(self, change: PreparedChange[T], *keys: str) -> T:
        """Make `change`, wholly or not at all, and return its answer.

        keys: other documents that it has to see.
        """
        rewrites: list[Rewrite] = []
        edit = partial(self._edit, change, rewrites)
        answer, stored = await self._cell.update(partial(self.find, *keys), edit)
        await self._tidy(stored, [each for each in rewrites if each is not stored])
        return answer

    async def renew(self) -> None:
        """Write all documents of the log again, unchanged, so that their ttl starts again."""
        document = (await self._sidecar.find(self.paths.head)).get(self.paths.head)
        if document is None:
            return
        head = HeadDocument.of_json(Version.of(document).body)
        keys = await self._keys_below(head)
        for start in range(0, len(keys), _AT_ONCE):
            found = await self._sidecar.find(*keys[start : start + _AT_ONCE])
            await self._sidecar.save({key: found[key].data for key in found})
        await self._sidecar.replace(self.paths.head, document, document.data)

    async def _edit(
        self, change: PreparedChange[T], rewrites: list[Rewrite], found: Found
    ) -> Edit[tuple[T, Rewrite | None]] | None:
        """Compute the next head and save the documents that it refers to."""
        rewrite = Rewrite(self.tree)
        try:
            made = await change(found, rewrite)
        except Gone as gone:
            await self._newer(found, gone)
            return None
        if made is None:
            return None
        answer, head = made
        if head is None:
            return Edit((answer, None))
        rewrites.append(rewrite)
        await self._sidecar.save(rewrite.documents)
        return Edit((answer, rewrite), head.to_json())

    async def _tidy(self, stored: Rewrite | None, others: Sequence[Rewrite]) -> None:
        """Delete the documents that no head refers to. A failure leaves them, and no more."""
        try:
            unused = [ref for rewrite in others for ref in rewrite.sealed]
            keys = [self.paths.document(ref.name) for ref in unused]
            keys += [] if stored is None else await self._unused_after(stored)
            await self._sidecar.drop(keys)
        except DaprGrpcError as error:
            _logger.warning("documents that are not in use any more were left: %s", status(error))

    async def _unused_after(self, rewrite: Rewrite) -> list[str]:
        refs = [*rewrite.replaced, *await self.tree.below(rewrite.dropped)]
        lists = await self.tree.below(rewrite.lists)
        for digest in await self.tree.names(lists):
            await self._forget(self.paths.written(digest), rewrite.life)
        return [self.paths.document(ref.name) for ref in [*refs, *lists]]

    async def _forget(self, key: str, life: str) -> None:
        """Delete the answer of a keyed write in this life of the log, not one of a later life."""
        document = (await self._sidecar.find(key)).get(key)
        if document is not None and unpacked(document.data)[0] == life:
            await self._sidecar.delete(key, document.etag)

    async def _keys_below(self, head: HeadDocument) -> list[str]:
        """The keys of all documents that `head` refers to."""
        lists = await self.tree.below(head.key_refs)
        refs: list[Ref] = [*await self.tree.below(head.refs), *lists]
        written = map(self.paths.written, await self.tree.names(lists))
        return [*(self.paths.document(ref.name) for ref in refs), *written]

    async def _read(self, head: HeadDocument | None, span: Span, limit: int | None) -> Rows:
        if head is None:
            return Rows.none()
        tail = head.tail.inside(span)
        missing = None if limit is None else max(0, limit - len(tail))
        rows = Rows.joined([await self.tree.read(head.refs, span, missing), tail])
        return rows if limit is None else rows.part(max(0, len(rows) - limit))

    async def _newer(self, found: Found, gone: Gone) -> Found:
        """The log as it is by now. Documents are deleted only after the head has changed."""
        now = await self.find()
        if now.version.changes == found.version.changes:
            raise Unreadable(self.log, gone.ref.first, "the document that holds it is missing")
        return now
