"""Which sessions there are, and which logs each has."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

from turnlog.records import Log
from turnlog.stores.dapr import changes
from turnlog.stores.dapr.cells import Cell, Try
from turnlog.stores.dapr.clock import now
from turnlog.stores.dapr.documents import SessionDocument, Window
from turnlog.stores.dapr.keys import Place, session_key, shard_of, shards
from turnlog.stores.dapr.logfile import LogFile
from turnlog.stores.dapr.sidecar import Sidecar

__all__ = ["Roster"]

_ALL = Window(0, None)


class Roster:
    """The documents of sessions, and the directory of them.

    The directory is logs of its own, to which an id is added when its session is made and
    from which it is taken when that is deleted. So neither costs more when there are many.
    """

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        # What is listed outlives what it lists, for nobody would renew it.
        self._lasting = Sidecar(sidecar.calls, sidecar.store_name, sidecar.consistency, None)

    async def load(self, session: str) -> tuple[Cell, SessionDocument | None]:
        """What is known of `session`."""
        key = session_key(session)
        cell = Cell.of(key, (await self._sidecar.find(key)).get(key))
        return cell, None if cell.body is None else SessionDocument.of_json(cell.body)

    async def enroll(self, log: Log) -> None:
        """Make sure that `log` is among those of its session, and the session is listed."""
        tried = Try(self._sidecar)
        entry = 0
        while True:
            cell, known = await self.load(log.session)
            if tried.made(cell):
                return None
            if known is not None and log.name in known.logs:
                return await self._unlist(log.session, entry)
            if not entry and (known is None or not known.entry):
                entry = await self._list(log.session)
            known = known or SessionDocument(now(), (), 0, now())
            known = replace(known, logs=(*known.logs, log.name), entry=known.entry or entry)
            if await tried.move(cell, known.to_json(), lives=2):
                return await self._unlist(log.session, entry if entry != known.entry else 0)
            await tried.pause()

    async def forget(self, session: str) -> SessionDocument | None:
        """Make all logs of `session` those of a session that is no more; what was known of it."""
        tried = Try(self._sidecar)
        before = None
        while True:
            cell, known = await self.load(session)
            if tried.made(cell):
                break
            if known is None or not known.logs:
                return None
            before = known
            after = SessionDocument(max(now(), known.epoch + 1), (), 0, known.renewed)
            if await tried.move(cell, after.to_json(), lives=2):
                break
            await tried.pause()
        if before is not None:
            await self._unlist(session, before.entry)
        return before

    async def renewed(self, session: str) -> None:
        """Note that all documents of `session` were written anew."""
        cell, known = await self.load(session)
        if known is not None:
            # Whoever is first has noted it; there is nothing to try again.
            await Try(self._sidecar).move(cell, replace(known, renewed=now()).to_json(), lives=2)

    async def listed(self) -> list[str]:
        """The ids of all sessions, and perhaps some that are no more."""
        found = await self._sidecar.find(*(place.head for place in shards()))
        parts = map(self._shard, shards())
        rows = await asyncio.gather(*(part.read(part.seen(found), _ALL, None) for part in parts))
        return list({payload.decode(): None for part in rows for payload in part.payloads})

    async def _list(self, session: str) -> int:
        shard = self._shard(shard_of(session))
        change = partial(changes.append, shard.log, [session.encode()], None, None)
        return await shard.write(change)

    async def _unlist(self, session: str, entry: int) -> None:
        if entry:
            shard = self._shard(shard_of(session))
            change = partial(changes.remove, shard.log, Window(entry - 1, entry + 1), None)
            await shard.write(change)

    def _shard(self, place: Place) -> LogFile:
        return LogFile(self._lasting, Log("", place.prefix), place)
