"""Documents that are moved by their etag, and how a writer finds out what came of a try."""

from __future__ import annotations

import asyncio
import random
import secrets
from dataclasses import dataclass
from typing import Any

from dapr.clients.exceptions import DaprGrpcError

from turnlog.stores.dapr.documents import packed, unpacked
from turnlog.stores.dapr.sidecar import Document, Sidecar, is_passing, status

__all__ = ["Cell", "Try"]

#: How many of its last writers a document names.
_WRITERS = 32
#: How often a write is tried while others are always first; each miss is another's success.
_TRIES = 200
#: How often while the sidecar is away.
_PATIENCE = 4


@dataclass(frozen=True)
class Cell:
    """A document that is moved by its etag, as it was found.

    It counts its moves and names who made the last few. So whoever lost the answer to a
    move can tell, to a move, whether it was made.
    """

    key: str
    etag: str | None = None
    moves: int = 0
    writers: tuple[str, ...] = ()
    body: Any = None

    @classmethod
    def of(cls, key: str, document: Document | None) -> Cell:
        """The cell that is stored as `document`; one that never moved, if there is none."""
        if document is None:
            return cls(key)
        moves, writers, body = unpacked(document.data)
        return cls(key, document.etag, moves, tuple(writers), body)

    def moved(self, body: list[Any], writer: str) -> bytes:
        """The document after one more move."""
        return packed([self.moves + 1, [*self.writers, writer][-_WRITERS:], body])


class Try:
    """One write, however often it is tried.

    Ask `made` before each try, for an earlier one may have been made after all.
    """

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self._writer = secrets.token_hex(4)
        self._pending: int | None = None
        self._error: DaprGrpcError | None = None
        self._losses = 0
        self._tries = 0

    async def pause(self) -> None:
        """Wait until another try makes sense. Raises when it is given up."""
        self._tries += 1
        if self._tries > _TRIES:
            raise self._error or TimeoutError("others changed the documents before every try")
        longest = min(0.002 * 2 ** min(self._tries, 7), 0.2)
        if self._losses:
            longest = 0.1 * 2**self._losses
        await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311 - only to spread

    def made(self, cell: Cell) -> bool:
        """Whether an earlier try moved the document, now that it was found as `cell`.

        Raises the error of that try where nobody can tell, or where it was refused for a
        reason that will not pass.
        """
        if self._pending is None or self._error is None:
            return False
        since = cell.moves - self._pending
        if since < 0:
            self._check_hope(self._error)
            return False
        if since >= len(cell.writers):
            raise self._error
        if cell.writers[-1 - since] == self._writer:
            return True
        self._pending = None
        return False

    async def move(self, cell: Cell, body: list[Any], *, lives: int = 1) -> bool:
        """Whether the document is known to be moved."""
        try:
            await self._sidecar.swap(
                cell.key, cell.moved(body, self._writer), cell.etag, lives=lives
            )
        except DaprGrpcError as error:
            self._error = error
            self._pending = cell.moves + 1
            return False
        return True

    def _check_hope(self, error: DaprGrpcError) -> None:
        """The document is as it was: only a false alarm or a lost message is worth another try."""
        self._losses += is_passing(error)
        if self._losses > _PATIENCE or not (is_passing(error) or status(error) == "ABORTED"):
            raise error
