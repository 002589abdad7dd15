"""Session files: one session as a root, changed by compare-and-swap, and sealed documents.

With a ttl, the root is written by every commit and is kept for the ttl from then on. The
sealed documents are kept for twice as long and written again once half the ttl has passed.
So the root is the first to expire, and what it refers to is there until then.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import NamedTuple, TypeAlias, TypeVar

from dapr.clients.exceptions import DaprGrpcError

from turnlog.errors import Conflict, Unreadable
from turnlog.loops.finishing import finished
from turnlog.records import Log
from turnlog.stores.clock import now
from turnlog.stores.dapr.cells import Cell, Edit, Version
from turnlog.stores.dapr.directory import Directory, entered, entries
from turnlog.stores.dapr.documents import Ref, Rows, Span
from turnlog.stores.dapr.draft import Draft
from turnlog.stores.dapr.inventory import Inventory
from turnlog.stores.dapr.keys import paths_of, root_key, session_paths
from turnlog.stores.dapr.moving import Moving
from turnlog.stores.dapr.older import SessionDocument
from turnlog.stores.dapr.root import LogHead, Root
from turnlog.stores.dapr.sidecar import Document, Sidecar, status
from turnlog.stores.dapr.tree import Gone, Tree

__all__ = ["Found", "SessionFile", "Work"]

_logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Found:
    """A session as one request found it, with any other documents asked for."""

    version: Version
    others: dict[str, Document]

    @cached_property
    def older(self) -> SessionDocument | None:
        """The session's document in the older format; None if it is not in that."""
        return SessionDocument.found(self.version.body)

    @cached_property
    def root(self) -> Root:
        """The root; an empty one if there is none, or an older document instead."""
        if self.version.body is None or self.older is not None:
            return Root()
        return Root.of_json(self.version.body)


#: Changes a draft of the next root, and returns the answer of the change. May raise `Gone`.
Work: TypeAlias = Callable[[Found, Draft], Awaitable[T]]


class _Step(NamedTuple):
    """An attempt to change the root."""

    before: Root
    after: Root
    draft: Draft


class SessionFile:
    """The documents of one session."""

    def __init__(self, sidecar: Sidecar, session: str, directory: Directory) -> None:
        self.session = session
        self.key = root_key(session)
        self.paths = session_paths(session)
        self.sidecar = sidecar
        self._directory = directory
        self._cell = Cell(sidecar, self.key)

    @cached_property
    def _inventory(self) -> Inventory:
        return Inventory(self.sidecar, self.tree)

    @cached_property
    def _moving(self) -> Moving:
        return Moving(self.sidecar, self.session, self.tree)

    @cached_property
    def _life(self) -> str:
        """Names the session's life, if it begins now."""
        return secrets.token_hex(6)

    async def find(self, *keys: str) -> Found:
        """Read the root, and the documents `keys` as well."""
        return self.seen(await self.sidecar.find(self.key, *keys))

    async def current(self, *keys: str) -> Found:
        """The same, after an older session is moved into a root."""
        while True:
            found = await self.find(*keys)
            if found.older is not None:
                await finished(self.write(self._freeze))
            elif found.root.older:
                await finished(self.write(self._empty))
            else:
                return found

    async def _freeze(self, found: Found, draft: Draft) -> None:
        if found.older is not None:
            await self._moving.freeze(found.older, draft)

    async def _empty(self, found: Found, draft: Draft) -> None:
        await self._moving.empty(found.root.older, draft)

    def seen(self, documents: dict[str, Document]) -> Found:
        """The session as it is in `documents`, which were read before."""
        return Found(Version.of(documents.get(self.key)), documents)

    def tree(self, name: str) -> Tree:
        """The sealed documents of a log; "": those that belong to none."""
        return Tree(self.sidecar, paths_of(Log(self.session, name)) if name else self.paths)

    async def read(
        self, found: Found, name: str, span: Span, limit: int | None, *, oldest: bool
    ) -> Rows:
        """The newest `limit` records inside `span`, or the oldest, as found or as by now."""
        while True:
            try:
                draft = Draft(found.root, "", self.tree)
                await draft.load([name])
                return await self._read(name, draft.heads.get(name), span, limit, oldest)
            except Gone as gone:
                found = await self._newer(found, gone, name)

    async def heads(self, found: Found) -> dict[str, LogHead]:
        """The heads of all logs, as found or as by now."""
        while True:
            try:
                return await self._inventory.heads(found.root)
            except Gone as gone:
                found = await self._newer(found, gone, "main")

    async def write(self, work: Work[T], find: Callable[[], Awaitable[Found]] | None = None) -> T:
        """Make a change, wholly or not at all, and return its answer."""
        steps: list[_Step] = []
        edit = partial(self._edit, work, steps)
        try:
            answer, stored = await self._cell.update(find or self.find, edit)
        except (Conflict, ValueError):
            await self._tidy(None, steps)
            raise
        await self._tidy(stored, [step for step in steps if step is not stored])
        return answer

    async def delete(self, check: Callable[[Root], None]) -> None:
        """Delete the session. The root keeps its greatest position, behind which a new one begins.

        check: raises an error if the session must not be deleted.
        """

        async def edit(found: Found) -> Edit[Root]:
            check(found.root)
            deleted = Root(top=found.root.top, renewed=found.root.renewed)
            return Edit(found.root, deleted.to_json() if found.root.exists else None)

        root = await self._cell.update(self.find, edit)
        if root.exists:
            await self._inventory.delete(root)
            await self._directory.update(self.session, remove=self._entries(root))

    async def _edit(
        self, work: Work[T], steps: list[_Step], found: Found
    ) -> Edit[tuple[T, _Step | None]] | None:
        """Compute the next root and save the documents that it refers to."""
        draft = Draft(found.root, found.root.life or self._life, self.tree)
        try:
            answer = await work(found, draft)
            if not draft.is_changed:
                return Edit((answer, None))
            root = entered(await draft.finish())
        except Gone as gone:
            await self._newer(found, gone, "main")
            return None
        step = _Step(found.root, await self._renewed(found.root, root), draft)
        steps.append(step)
        await self._directory.update(self.session, add=self._added(step))
        for rewrite in draft.rewrites:
            await rewrite.save()
        return Edit((answer, step), step.after.to_json())

    async def _renewed(self, before: Root, after: Root) -> Root:
        """`after`, with all documents written again if half the ttl has passed.

        If that fails, the next write does it.
        """
        ttl = self.sidecar.ttl
        if ttl is None or now() - after.renewed <= ttl * 1_000_000 // 2:
            return after
        try:
            await self._inventory.renew(before)
        except DaprGrpcError as error:
            _logger.warning("session %r was not renewed: %s", self.session, status(error))
            return after
        return replace(after, renewed=now())

    async def _tidy(self, stored: _Step | None, lost: Sequence[_Step]) -> None:
        """Delete what no root refers to. A failure leaves it, and no more."""
        try:
            for step in lost:
                for rewrite in step.draft.rewrites:
                    await rewrite.tidy(is_stored=False)
            gone = {entry for step in lost for entry in self._added(step)}
            if stored is not None:
                await self._inventory.tidy(stored.draft)
                if stored.before.entry != stored.after.entry:
                    gone |= self._entries(stored.before)
                gone -= self._entries(stored.after) if gone else set()
            elif gone:
                gone -= self._entries((await self.find()).root)  # another's, equal to a lost one
            await self._directory.update(self.session, remove=gone)
        except DaprGrpcError as error:
            _logger.warning("documents that are not in use any more were left: %s", status(error))

    def _added(self, step: _Step) -> set[str]:
        """The entries that a step adds to the directory."""
        if step.before.entry == step.after.entry:
            return set()
        return self._entries(step.after) - self._entries(step.before)

    def _entries(self, root: Root) -> set[str]:
        return entries(self.session, root)

    async def _read(
        self, name: str, head: LogHead | None, span: Span, limit: int | None, oldest: bool
    ) -> Rows:
        if head is None:
            return Rows.none()
        tree, tail = self.tree(name), head.tail.inside(span)
        if oldest:
            sealed = await tree.read(head.refs, span, limit, oldest=True)
            return Rows.joined([sealed, tail]).part(0, limit)
        missing = None if limit is None else max(0, limit - len(tail))
        rows = Rows.joined([await tree.read(head.refs, span, missing), tail])
        return rows if limit is None else rows.part(max(0, len(rows) - limit))

    async def _newer(self, found: Found, gone: Gone, name: str) -> Found:
        """The session as it is by now. Documents are deleted only after the root has changed."""
        newer = await self.find()
        if newer.version.changes == found.version.changes:
            position = gone.ref.first if isinstance(gone.ref, Ref) else 0
            problem = "the document that holds it is missing"
            raise Unreadable(Log(self.session, name), position, problem)
        return newer
