"""Defects in the replacing of records."""

import asyncio
from collections.abc import Sequence
from typing import Any

from tests.testing.defective_stores.altering import Altering
from turnlog.changes import Append, Change, Check, Committed, Key, Replace, check_changes
from turnlog.errors import RecordChanged
from turnlog.records import Log
from turnlog.stores.memory import MemoryStore


class ReplacesNothing(Altering):
    def alter(self, change: Change) -> Change:
        return change._replace(payloads=change.old) if isinstance(change, Replace) else change


class ReplacesTheFirstOnly(Altering):
    def alter(self, change: Change) -> Change:
        if isinstance(change, Replace):
            return change._replace(payloads=[*change.payloads[:1], *change.old[1:]])
        return change


class ReplacesWhateverIsThere(MemoryStore):
    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        check_changes(session, changes, key)
        made = [await self._fitting(session, change) for change in changes]
        return await super().commit(session, made, key=key)

    async def _fitting(self, session: str, change: Change) -> Change:
        if not isinstance(change, Replace):
            return change
        stored = {each.position: each.payload for each in await self.read(Log(session, change.log))}
        pairs = zip(change.positions, change.old, strict=True)
        return change._replace(old=[stored.get(at, old) for at, old in pairs])


class AddsWhatReplaces(MemoryStore):
    """The new record gets a position of its own."""

    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        match changes:
            case [Replace(log, [position], payloads) as change]:
                await super().commit(session, [change])
                added = Append(log, payloads, cut=position - 1)
                return await super().commit(session, [added], **how)
        return await super().commit(session, changes, **how)


class MovesTheTimeOfWhatIsReplaced(MemoryStore):
    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        done = await super().commit(session, changes, **how)
        for change in changes:
            if isinstance(change, Replace) and change.positions and not done.replayed:
                self._conversations[session].logs[change.log].updated_at += 1
        return done


class ReplacesInTwoSteps(MemoryStore):
    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        match changes:
            case [Replace(log, [position], payloads, [old]) as change] if not how.get("key"):
                found = await self.read(Log(session, log), after=position - 1, limit=1, oldest=True)
                if not found or found.positions[0] != position or found.payloads[0] != old:
                    return await super().commit(session, [change])
                await asyncio.sleep(0)
                at = Log(session, log)
                newest = await self.read(at, after=position - 1, limit=1, oldest=True)
                if not newest or newest.positions[0] != position:
                    raise RecordChanged(at, position, is_gone=True)
                fitting = Replace(log, [position], payloads, [newest.payloads[0]])
                return await super().commit(session, [fitting])
        return await super().commit(session, changes, **how)


class TakesAReplacedRecordForOneThatIsGone(MemoryStore):
    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        try:
            return await super().commit(session, changes, **how)
        except RecordChanged as changed:
            raise RecordChanged(changed.log, changed.position, is_gone=True) from None


class ChecksReplacementsLast(MemoryStore):
    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        try:
            return await super().commit(session, changes, **how)
        except RecordChanged:
            checks = [change for change in changes if isinstance(change, Check)]
            await super().commit(session, checks)
            raise
