"""Roster: the documents of sessions, and the directory that lists all sessions."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from turnlog.records import Log
from turnlog.stores.clock import now
from turnlog.stores.dapr import changes
from turnlog.stores.dapr.cells import Cell, Edit, Version
from turnlog.stores.dapr.documents import SessionDocument, Span
from turnlog.stores.dapr.keys import Paths, session_key, shard_of, shards
from turnlog.stores.dapr.logfile import LogFile
from turnlog.stores.dapr.sidecar import Sidecar

__all__ = ["Roster"]

_ALL = Span(0, None)


class _Found(NamedTuple):
    version: Version
    session: SessionDocument | None


class Roster:
    """The documents of sessions, and the directory of them.

    The directory is a few logs. Making a session appends its id to one of them, and
    deleting the session removes that record. So the cost doesn't grow with their number.
    """

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        # The directory has no ttl: a session's writes don't renew its entry.
        self._lasting = Sidecar(sidecar.calls, sidecar.store_name, sidecar.consistency, None)

    async def load(self, session: str) -> SessionDocument | None:
        """The document of `session`."""
        return (await self._find(session)).session

    async def enroll(self, log: Log) -> None:
        """Add `log` to the logs of its session, and the session to the directory."""
        new: list[int] = []

        async def change(found: _Found) -> Edit[int]:
            known = found.session or SessionDocument(now(), (), 0, now())
            if log.name in known.logs:
                return Edit(known.entry)
            if not known.entry and not new:
                new.append(await self._list(log.session))
            entry = known.entry or new[0]
            logs = (*known.logs, log.name)
            return Edit(entry, replace(known, logs=logs, entry=entry).to_json())

        entry = await self._cell(log.session).update(partial(self._find, log.session), change)
        for other in new:
            if other != entry:
                await self._unlist(log.session, other)

    async def forget(self, session: str) -> SessionDocument | None:
        """Mark all logs of `session` as deleted. Returns the document before, if there were any."""

        async def change(found: _Found) -> Edit[SessionDocument | None]:
            known = found.session
            if known is None or not known.logs:
                return Edit(None)
            epoch = max(now(), known.epoch + 1)
            return Edit(known, SessionDocument(epoch, (), 0, known.renewed).to_json())

        known = await self._cell(session).update(partial(self._find, session), change)
        if known is not None and known.entry:
            await self._unlist(session, known.entry)
        return known

    def needs_renewal(self, session: SessionDocument) -> bool:
        """Whether half the ttl has passed since all documents of `session` were written again."""
        ttl = self._sidecar.ttl
        return ttl is not None and now() - session.renewed > ttl * 1_000_000 // 2

    async def renewed(self, session: str) -> None:
        """Note that all documents of `session` were written again."""

        async def change(found: _Found) -> Edit[None]:
            known = found.session
            if known is None or not self.needs_renewal(known):
                return Edit(None)
            return Edit(None, replace(known, renewed=now()).to_json())

        await self._cell(session).update(partial(self._find, session), change)

    async def listed(self) -> list[str]:
        """The ids of all sessions, and perhaps of some that were deleted or have expired."""
        found = await self._sidecar.find(*(paths.head for paths in shards()))
        parts = map(self._shard, shards())
        rows = await asyncio.gather(*(part.read(part.seen(found), _ALL, None) for part in parts))
        return list({payload.decode(): None for part in rows for payload in part.payloads})

    async def _find(self, session: str) -> _Found:
        key = session_key(session)
        version = Version.of((await self._sidecar.find(key)).get(key))
        body = version.body
        return _Found(version, None if body is None else SessionDocument.of_json(body))

    def _cell(self, session: str) -> Cell:
        return Cell(self._sidecar, session_key(session), ttl_factor=2)

    async def _list(self, session: str) -> int:
        """Add `session` to the directory; returns the position of its entry."""
        shard = self._shard(shard_of(session))
        return await shard.write(partial(changes.append, shard.log, [session.encode()], None, None))

    async def _unlist(self, session: str, entry: int) -> None:
        shard = self._shard(shard_of(session))
        await shard.write(partial(changes.remove, shard.log, Span(entry - 1, entry + 1), None))

    def _shard(self, paths: Paths) -> LogFile:
        return LogFile(self._lasting, Log("", paths.prefix), paths)
