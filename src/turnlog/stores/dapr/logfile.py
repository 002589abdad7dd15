"""One log: a head that moves, and sealed documents beneath it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, TypeAlias, TypeVar

from dapr.clients.exceptions import DaprGrpcError

from turnlog.errors import Unreadable
from turnlog.records import Log
from turnlog.stores.dapr.cells import Cell, Try
from turnlog.stores.dapr.documents import HeadDocument, Ref, Rows, SessionDocument, Window, unpacked
from turnlog.stores.dapr.keys import Place
from turnlog.stores.dapr.sidecar import Document, Sidecar, status
from turnlog.stores.dapr.tree import Draft, Gone, Tree

__all__ = ["Change", "Found", "Ground", "LogFile"]

_logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Found:
    """What was found of a log, all by one request."""

    cell: Cell
    session: SessionDocument | None
    others: dict[str, Document]

    @cached_property
    def stored(self) -> HeadDocument | None:
        """The head as stored, perhaps that of a log that was deleted."""
        return None if self.cell.body is None else HeadDocument.of_json(self.cell.body)

    @cached_property
    def head(self) -> HeadDocument | None:
        """The head, None when there is no log."""
        head = self.stored
        epoch = 0 if self.session is None else self.session.epoch
        return head if head is not None and head.live and head.epoch >= epoch else None


#: From what was found to an answer and the next head; None when nothing is to be written.
Change: TypeAlias = Callable[[Found, Draft], Awaitable[tuple[T, HeadDocument | None]]]


class Ground(Protocol):
    """What has to be there before a log is written.

    When an answer is False, something was changed, and the log is looked at again.
    """

    async def is_clear(self, found: Found) -> bool:
        """Whether what was found is all that there is of the log."""
        ...

    async def is_laid(self, found: Found) -> bool:
        """Whether the log may be written."""
        ...


class LogFile:
    """The documents of one log.

    session_key: the document that tells whether the session was deleted, if it has one.
    """

    def __init__(
        self, sidecar: Sidecar, log: Log, place: Place, session_key: str | None = None
    ) -> None:
        self.log = log
        self.place = place
        self.tree = Tree(sidecar, place)
        self._sidecar = sidecar
        self._session_key = session_key

    async def find(self, *keys: str) -> Found:
        """What there is of the log, and the documents `keys` as well."""
        session_keys = [] if self._session_key is None else [self._session_key]
        return self.seen(await self._sidecar.find(self.place.head, *session_keys, *keys))

    def seen(self, found: dict[str, Document]) -> Found:
        """What there is of the log, by documents that were found."""
        session = Cell.of("", found.get(self._session_key or "")).body
        return Found(
            cell=Cell.of(self.place.head, found.get(self.place.head)),
            session=None if session is None else SessionDocument.of_json(session),
            others=found,
        )

    async def read(self, found: Found, window: Window, limit: int | None) -> Rows:
        """The newest `limit` records inside `window`, of the log as found or as it is by now."""
        while True:
            try:
                return await self._read(found.head, window, limit)
            except Gone as gone:
                found = await self._later(found, gone)

    async def write(self, change: Change[T], *keys: str, ground: Ground | None = None) -> T:
        """Make `change`, wholly or not at all, and return its answer.

        keys: other documents that it has to see.
        ground: what has to be there beneath the log.
        """
        tried = Try(self._sidecar)
        answer: list[T] = []
        overtaken: list[Ref] = []
        while True:
            found = await self.find(*keys)
            if tried.made(found.cell):
                return answer[-1]
            if ground is not None and not await ground.is_clear(found):
                continue
            draft = Draft(self.tree)
            try:
                made, head = await change(found, draft)
            except Gone as gone:
                await self._later(found, gone)
                continue
            if head is None:
                return made
            if ground is not None and not await ground.is_laid(found):
                continue
            answer.append(made)
            await self._sidecar.save(draft.documents)
            if await tried.move(found.cell, head.to_json()):
                await self._tidy(draft, overtaken)
                return made
            overtaken += draft.sealed
            await tried.pause()

    async def _tidy(self, draft: Draft, overtaken: list[Ref]) -> None:
        """Delete what the head needs no more. What fails here is waste, and nothing else."""
        try:
            waste = [self.place.document(ref.name) for ref in overtaken]
            await self._sidecar.drop([*waste, *await self._waste(draft)])
        except DaprGrpcError as error:
            _logger.warning("documents that are in use no more were left: %s", status(error))

    async def _waste(self, draft: Draft) -> list[str]:
        doomed = [*draft.replaced, *await self.tree.beneath(draft.dropped)]
        lists = await self.tree.beneath(draft.lists)
        for digest in await self.tree.names(lists):
            await self._forget(self.place.written(digest), draft.life)
        return [self.place.document(ref.name) for ref in [*doomed, *lists]]

    async def _forget(self, key: str, life: str) -> None:
        """Delete what is known of a write in this life of the log; a later one has its own."""
        document = (await self._sidecar.find(key)).get(key)
        if document is not None and unpacked(document.data)[0] == life:
            await self._sidecar.delete(key, document.etag)

    async def _read(self, head: HeadDocument | None, window: Window, limit: int | None) -> Rows:
        if head is None:
            return Rows.none()
        tail = head.tail.inside(window)
        missing = None if limit is None else max(0, limit - len(tail))
        rows = Rows.joined([await self.tree.read(head.refs, window, missing), tail])
        return rows if limit is None else rows.part(max(0, len(rows) - limit))

    async def _later(self, found: Found, gone: Gone) -> Found:
        """The log as it is by now. Documents go only after the head has moved."""
        now = await self.find()
        if now.cell.moves == found.cell.moves:
            raise Unreadable(self.log, gone.ref.first, "the document that holds it is not there")
        return now
