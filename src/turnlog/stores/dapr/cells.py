"""Cells: documents that change by compare-and-swap on their etag, even if an answer is lost."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from dapr.clients.exceptions import DaprGrpcError

from turnlog.stores.dapr.documents import packed, unpacked
from turnlog.stores.dapr.sidecar import Document, Sidecar, is_transient, status

__all__ = ["Cell", "Edit", "Version"]

T = TypeVar("T")

#: How many of its last writers a cell names.
_WRITERS = 32
#: How many attempts are made while others are faster; each failure is another's success.
_ATTEMPTS = 200
#: How many while the sidecar can't be reached.
_ATTEMPTS_IN_OUTAGE = 4
#: The seconds after which a cell is read again while the outcome of an attempt isn't known. Its
#: changes come one after the other, so that fewer than `_WRITERS` fit in between.
_LOOK = 0.02


@dataclass(frozen=True)
class Version:
    """A cell as it was read.

    A cell counts its changes and names the writers of the last few. So a writer that lost
    the answer to a change finds out whether the change was stored.
    """

    etag: str | None = None
    changes: int = 0
    writers: tuple[str, ...] = ()
    body: Any = None

    @classmethod
    def of(cls, document: Document | None) -> Version:
        """The version that `document` holds; None: the cell was never written."""
        if document is None:
            return cls()
        changes, writers, body = unpacked(document.data)
        return cls(document.etag, changes, tuple(writers), body)

    def next(self, body: Any, writer: str) -> bytes:
        """The document of the next version."""
        return packed([self.changes + 1, [*self.writers, writer][-_WRITERS:], body])


class Edit(NamedTuple, Generic[T]):
    """A change of a cell.

    answer: the result of the change, for the caller.
    body: the cell's next content; None leaves the cell as it is.
    """

    answer: T
    body: list[Any] | None = None


class _Found(Protocol):
    """The input of a change: the version of the cell, and perhaps more."""

    @property
    def version(self) -> Version: ...


F = TypeVar("F", bound=_Found)


class Cell:
    """One document that is changed by compare-and-swap."""

    def __init__(self, sidecar: Sidecar, key: str) -> None:
        self.key = key
        self._sidecar = sidecar

    async def update(
        self,
        find: Callable[[], Awaitable[F]],
        change: Callable[[F], Awaitable[Edit[T] | None]],
    ) -> T:
        """Change the cell once and return the answer of that change.

        find: reads the cell, and what else the change depends on.
        change: computes the change; called again when another writer was faster. None: it
            has changed something else, and everything is read again.

        Raises the client's error when the sidecar refuses the change or stays out of reach,
        and when the outcome can't be known because too many others have written since.
        """
        attempts: _Attempts[T] = _Attempts()
        while True:
            found = await find()
            stored = attempts.stored_in(found.version)
            if stored is not None:
                return stored.answer
            if await attempts.waited():
                continue
            edit = await change(found)
            if edit is None:
                continue
            if edit.body is None or await self._store(found.version, edit, attempts):
                return edit.answer

    async def _store(self, version: Version, edit: Edit[T], attempts: _Attempts[T]) -> bool:
        """Whether the edit is known to be stored."""
        writer = secrets.token_hex(4)
        document = version.next(edit.body, writer)
        try:
            await self._sidecar.swap(self.key, document, version.etag)
        except DaprGrpcError as error:
            attempts.failed(version, edit, writer, error)
            return False
        return True


class _Attempts(Generic[T]):
    """The failed attempts at one change, any of which may have been stored after all.

    Each has a name of its own, which the cell stores as its writer.
    """

    def __init__(self) -> None:
        self._edits: dict[str, Edit[T]] = {}
        #: The ordinal of the change that they were to be.
        self._ordinal = 0
        self._error: DaprGrpcError | None = None
        self._count = 0
        self._outages = 0
        #: Seconds until another attempt is due.
        self._delay = 0.0

    def stored_in(self, version: Version) -> Edit[T] | None:
        """The edit that was stored, if any was, now that the cell is read as `version`.

        Raises the error of the last attempt where that can't be known, or where another
        attempt would be refused too.
        """
        if self._error is None or not self._edits:
            return None
        since = version.changes - self._ordinal
        if since < 0:
            self._check_retry(self._error)
            return None
        if since >= len(version.writers):
            raise self._error
        stored = self._edits.get(version.writers[-1 - since])
        self._edits.clear()
        return stored

    def failed(self, version: Version, edit: Edit[T], writer: str, error: DaprGrpcError) -> None:
        """Remember an attempt. Raises its error if it was the last."""
        self._edits[writer] = edit
        self._ordinal = version.changes + 1
        self._error = error
        self._count += 1
        if self._count > _ATTEMPTS:
            raise error
        self._outages += is_transient(error)
        longest = min(0.002 * 2 ** min(self._count, 7), 0.2)
        if is_transient(error):
            longest = 0.1 * 2**self._outages
        self._delay = longest * random.uniform(0.5, 1.0)  # noqa: S311 - only to spread

    async def waited(self) -> bool:
        """Wait until another attempt is due. Whether it waited.

        It may do so in several parts, between which the cell is to be read: while one waits, too
        many others might write.
        """
        part = min(self._delay, _LOOK) if self._edits else self._delay
        self._delay -= part
        if part:
            await asyncio.sleep(part)
        return part > 0

    def _check_retry(self, error: DaprGrpcError) -> None:
        """Raise `error`, which left the cell unchanged, unless another attempt may succeed."""
        if self._outages > _ATTEMPTS_IN_OUTAGE:
            raise error
        if not is_transient(error) and status(error) != "ABORTED":
            raise error
