"""Adoption of sessions that the OpenAI Agents SDK stored: one array of texts per session.

Such a session is copied whole when it is first read or written, in three steps, each by an
etag: the array is copied into a root that names the array's etag; the array is emptied if
it still has that etag; the root drops the etag. Until the second step the array is the
truth, and a copy that is out of date is made again.
"""

from __future__ import annotations

import json
import logging
from functools import partial

from turnlog.changes import Append, Forget
from turnlog.stores.dapr.draft import Draft
from turnlog.stores.dapr.sessionfile import Found, SessionFile
from turnlog.stores.dapr.sidecar import Document

__all__ = ["Adoption"]

_logger = logging.getLogger(__name__)


class Adoption:
    """Copies the array of one session into its log, if the SDK stored one. For one call."""

    def __init__(self, file: SessionFile) -> None:
        self._file = file
        self._key = f"{file.session}:messages"
        # Dapr refuses keys with "||", so the SDK can't have stored a session with such an id.
        self._may_exist = "||" not in self._key

    def is_due(self, found: Found) -> bool:
        """Whether there may be an array that was not adopted yet."""
        return self._may_exist and (found.version.body is None or found.root.copied is not None)

    async def settle(self) -> bool:
        """Adopt the array, if there is one. False: it can't be read, and is left unchanged."""
        while self.is_due(found := await self._file.current(self._key)):
            array = found.others.get(self._key)
            texts = [] if array is None else _texts(array.data)
            if texts is None:
                _logger.warning("session %r: the stored array can't be read", self._file.session)
                return False
            if found.version.body is None and not texts:
                break
            await self._step(found, array, texts)
        self._may_exist = False
        return True

    async def require(self) -> None:
        """Adopt the array before a write. Raises `ValueError` if it can't be read."""
        if not await self.settle():
            raise ValueError(
                f"the array that is stored for session {self._file.session!r} can't be read; "
                "it was left as it is, and nothing was written. Clearing the session deletes it"
            )

    async def discard(self) -> None:
        """Delete the array, also one that can't be read."""
        if self._may_exist and self._key in await self._file.sidecar.find(self._key):
            await self._file.sidecar.drop([self._key])

    async def _step(self, found: Found, array: Document | None, texts: list[bytes]) -> None:
        copied = found.root.copied
        if array is None:
            await self._file.write(partial(_dropped, copied))  # the SDK has cleared it since
        elif copied is not None and not texts:
            await self._file.write(partial(_finished, copied))
        elif copied == array.etag:
            await self._file.sidecar.replace(self._key, array, b"[]")
        else:
            await self._file.write(partial(_copied, array.etag, texts))


async def _dropped(copied: str | None, _found: Found, draft: Draft) -> None:
    """Drop the copy: the array is gone."""
    if copied is not None and draft.copied == copied:
        await draft.make(Forget("main"))
        draft.copied = None


async def _finished(copied: str, _found: Found, draft: Draft) -> None:
    """Make the copy the log: the array is empty."""
    if draft.copied == copied:
        draft.copied = None


async def _copied(etag: str, payloads: list[bytes], found: Found, draft: Draft) -> None:
    """Make a new log from a copy of the array."""
    if found.version.body is not None and draft.copied is None:
        return  # another process has finished the adoption
    await draft.make(Forget("main"))
    draft.begin()
    await draft.make(Append("main", payloads))
    draft.copied = etag


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
