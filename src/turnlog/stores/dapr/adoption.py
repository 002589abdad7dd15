"""Sessions that the OpenAI Agents SDK stored: one array of texts a session.

Such a session is copied whole when it is first touched, in three steps, each by an etag:
the array is copied into a head that names the array's etag; the array is emptied if it
still has that etag; the head forgets the etag. Until the second step the array is what
counts, and a copy of it that is out of date is made anew.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from functools import partial

from dapr.clients.exceptions import DaprGrpcError

from turnlog.records import Log
from turnlog.stores.dapr import changes
from turnlog.stores.dapr.documents import HeadDocument
from turnlog.stores.dapr.logfile import Found, LogFile
from turnlog.stores.dapr.roster import Roster
from turnlog.stores.dapr.sidecar import Document, Sidecar
from turnlog.stores.dapr.tree import Draft

__all__ = ["Adoption"]

_logger = logging.getLogger(__name__)


class Adoption:
    """The array of one session, if the SDK stored one, and its way into a log."""

    def __init__(self, sidecar: Sidecar, log: Log, file: LogFile, roster: Roster) -> None:
        self._sidecar = sidecar
        self._log = log
        self._file = file
        self._roster = roster
        self._key = f"{log.session}:messages"
        # Dapr refuses keys with "||", so the SDK can't have stored such a session.
        self._possible = log.name == "main" and "||" not in self._key

    def is_due(self, found: Found) -> bool:
        """Whether there may be an array that counts."""
        stored = found.stored
        return self._possible and (stored is None or stored.copied is not None)

    async def settle(self) -> bool:
        """Copy the array, if there is one. False if it can't be read, and is left alone."""
        while True:
            found = await self._file.find(self._key)
            array = found.others.get(self._key)
            if not self.is_due(found) or (found.stored is None and array is None):
                return True
            texts = None if array is None else _texts(array.data)
            if array is not None and texts is None:
                _logger.warning("session %r: the stored array can't be read", self._log.session)
                return False
            if found.stored is None and not texts:
                return True
            await self._step(found.stored, array, texts or [])

    async def discard(self) -> None:
        """Delete the array, whatever is in it."""
        if self._possible and self._key in await self._sidecar.find(self._key):
            await self._sidecar.drop([self._key])

    async def _step(
        self, stored: HeadDocument | None, array: Document | None, texts: list[bytes]
    ) -> None:
        if array is None:
            await self._file.write(changes.bury)  # the SDK has cleared the session meanwhile
        elif stored is not None and not texts:
            await self._file.write(_finished)
        elif stored is not None and stored.copied == array.etag:
            await self._empty(array)
        else:
            await self._roster.enroll(self._log)
            await self._file.write(partial(_copied, array.etag, texts))

    async def _empty(self, array: Document) -> None:
        try:
            await self._sidecar.swap(self._key, b"[]", array.etag)
        except DaprGrpcError:
            # Unless it is as it was, it was emptied after all, or there is more in it now.
            if (await self._sidecar.find(self._key)).get(self._key) == array:
                raise


async def _finished(found: Found, draft: Draft) -> tuple[None, HeadDocument | None]:  # noqa: ARG001 - as every change
    """The copy is the log."""
    stored = found.stored
    if stored is None or stored.copied is None:
        return None, None
    return None, replace(stored, copied=None)


async def _copied(
    etag: str, payloads: list[bytes], found: Found, draft: Draft
) -> tuple[None, HeadDocument | None]:
    """A new log with a copy of the array."""
    stored = found.stored
    if stored is not None and stored.copied is None:
        return None, None  # somebody else has finished
    head = changes.extended(changes.fresh(found, draft), payloads, draft)
    return None, replace(head, copied=etag)


def _texts(data: bytes) -> list[bytes] | None:
    """What stands in an array, None if it is none."""
    try:
        values = json.loads(data)
    except ValueError:
        return None
    return [_payload(value) for value in values] if isinstance(values, list) else None


def _payload(value: object) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode(errors="surrogatepass")
