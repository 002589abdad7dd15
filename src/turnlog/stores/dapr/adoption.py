"""Adoption of sessions that the OpenAI Agents SDK stored: one array of texts per session.

Such a session is copied whole when it is first read or written, in three steps, each by an
etag: the array is copied into a head that names the array's etag; the array is emptied if
it still has that etag; the head drops the etag. Until the second step the array is the
truth, and a copy that is out of date is made again.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from functools import partial

from turnlog.stores.dapr import changes
from turnlog.stores.dapr.documents import HeadDocument
from turnlog.stores.dapr.logfile import Found, LogFile
from turnlog.stores.dapr.roster import Roster
from turnlog.stores.dapr.sidecar import Document, Sidecar
from turnlog.stores.dapr.tree import Rewrite

__all__ = ["Adoption"]

_logger = logging.getLogger(__name__)


class Adoption:
    """Copies the array of one session into its log, if the SDK stored one. For one call."""

    def __init__(self, sidecar: Sidecar, file: LogFile, roster: Roster) -> None:
        self._sidecar = sidecar
        self._log = file.log
        self._file = file
        self._roster = roster
        self._key = f"{file.log.session}:messages"
        # Dapr refuses keys with "||", so the SDK can't have stored a session with such an id.
        self._may_exist = file.log.name == "main" and "||" not in self._key

    def is_due(self, found: Found) -> bool:
        """Whether there may be an array that was not adopted yet."""
        stored = found.stored
        return self._may_exist and (stored is None or stored.copied is not None)

    async def settle(self) -> bool:
        """Adopt the array, if there is one. False: it can't be read, and is left unchanged."""
        while self.is_due(found := await self._file.find(self._key)):
            array = found.others.get(self._key)
            texts = [] if array is None else _texts(array.data)
            if texts is None:
                _logger.warning("session %r: the stored array can't be read", self._log.session)
                return False
            if found.stored is None and not texts:
                break
            await self._step(found.stored, array, texts)
        self._may_exist = False
        return True

    async def require(self) -> None:
        """Adopt the array before a write. Raises `ValueError` if it can't be read."""
        if not await self.settle():
            raise ValueError(
                f"the array that is stored for session {self._log.session!r} can't be read; "
                "it was left as it is, and nothing was written. Clearing the session deletes it"
            )

    async def discard(self) -> None:
        """Delete the array, also one that can't be read."""
        if self._may_exist and self._key in await self._sidecar.find(self._key):
            await self._sidecar.drop([self._key])

    async def _step(
        self, stored: HeadDocument | None, array: Document | None, texts: list[bytes]
    ) -> None:
        if array is None:
            await self._file.write(changes.bury)  # the SDK has cleared the session since
        elif stored is not None and not texts:
            await self._file.write(_finished)
        elif stored is not None and stored.copied == array.etag:
            await self._sidecar.replace(self._key, array, b"[]")
        else:
            await self._roster.enroll(self._log)
            await self._file.write(partial(_copied, array.etag, texts))


async def _finished(found: Found, _rewrite: Rewrite) -> tuple[None, HeadDocument | None]:
    """Make the copy the log: the array is empty."""
    stored = found.stored
    if stored is None or stored.copied is None:
        return None, None
    return None, replace(stored, copied=None)


async def _copied(
    etag: str, payloads: list[bytes], found: Found, rewrite: Rewrite
) -> tuple[None, HeadDocument | None]:
    """Make a new log from a copy of the array."""
    stored = found.stored
    if stored is not None and stored.copied is None:
        return None, None  # another process has finished the adoption
    head = changes.extended(changes.fresh(found, rewrite), payloads, rewrite)
    return None, replace(head, copied=etag)


def _texts(data: bytes) -> list[bytes] | None:
    """The texts in a stored array; None if `data` is not a JSON array."""
    try:
        values = json.loads(data)
    except ValueError:
        return None
    return [_payload(value) for value in values] if isinstance(values, list) else None


def _payload(value: object) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode(errors="surrogatepass")
