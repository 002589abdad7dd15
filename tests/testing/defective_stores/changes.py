"""Defects in cuts, times, notes and the forgetting of logs."""

import asyncio
from collections.abc import Sequence
from typing import Any

from tests.testing.defective_stores.altering import Altering
from turnlog.changes import (
    Append,
    Change,
    Committed,
    Forget,
    Key,
    Remove,
)
from turnlog.records import Log, Records
from turnlog.store import Head
from turnlog.stores.memory import MemoryStore


class IgnoresCuts(Altering):
    def alter(self, change: Change) -> Change:
        return change._replace(cut=None) if isinstance(change, Append) else change


class CutsOneTooMany(Altering):
    def alter(self, change: Change) -> Change:
        if isinstance(change, Append) and change.cut is not None:
            return change._replace(cut=change.cut - 1)
        return change


class CutsInTwoSteps(MemoryStore):
    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        match changes:
            case [Append(expect=None, cut=int(cut)) as change] if key is None:
                await super().commit(session, [Remove(change.log, cut)])
                await asyncio.sleep(0)
                changes = [change._replace(cut=None)]
        return await super().commit(session, changes, key=key)


class IgnoresTimes(Altering):
    def alter(self, change: Change) -> Change:
        return change._replace(times=None) if isinstance(change, Append) else change


class OrdersByTime(MemoryStore):
    async def read(self, log: Log, **window: Any) -> Records:
        records = await super().read(log, **window)
        return Records.of(sorted(records, key=lambda record: record.created_at))


class TakesTheTimeOfARecordForItsLogs(MemoryStore):
    async def sessions(self, **page: Any) -> list[Head]:
        heads = []
        for head in await super().sessions(**page):
            newest = await self.read(head.log, limit=1)
            at = newest.times[0] if newest else head.updated_at
            heads.append(head._replace(updated_at=at))
        return sorted(heads, key=lambda head: head.cursor, reverse=not page.get("oldest"))


class LosesTheNote(MemoryStore):
    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        done = await super().commit(session, changes, **how)
        for change in changes:
            if isinstance(change, Append) and change.payloads:
                self._conversations[session].logs[change.log].note = b""
        return done


class ForgetKeepsTheNote(Altering):
    def alter(self, change: Change) -> Change:
        if isinstance(change, Forget) and change.log == "main":
            return Remove("main", expect=change.expect)
        return change


class ForgetsMainAltogether(MemoryStore):
    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        done = await super().commit(session, changes, **how)
        if any(isinstance(change, Forget) and change.log == "main" for change in changes):
            self._conversations.pop(session, None)
        return done


class ForgetsNothing(Altering):
    def alter(self, change: Change) -> Change:
        return Remove(change.log, expect=change.expect) if isinstance(change, Forget) else change


class ForgetsTheEmptyLog(MemoryStore):
    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        done = await super().commit(session, changes, **how)
        for change in changes:
            if isinstance(change, Remove) and change.log != "main":
                logs = self._conversations[session].logs if session in self._conversations else {}
                if change.log in logs and not logs[change.log].records:
                    del logs[change.log]
        return done
