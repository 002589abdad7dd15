"""Defects in records and their positions."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from tests.testing.defective_stores.altering import Altering
from turnlog.changes import (
    Append,
    Change,
)
from turnlog.records import Log, Records
from turnlog.stores.memory import MemoryStore


class Reorders(Altering):
    def alter(self, change: Change) -> Change:
        if isinstance(change, Append):
            return change._replace(payloads=change.payloads[::-1])
        return change


class LosesTheLastOfABatch(Altering):
    def alter(self, change: Change) -> Change:
        if isinstance(change, Append) and change.payloads[2:]:
            return change._replace(payloads=change.payloads[:-1], times=None)
        return change


class CutsAtNUL(Altering):
    def alter(self, change: Change) -> Change:
        if isinstance(change, Append):
            payloads = [payload.split(b"\x00")[0] for payload in change.payloads]
            return change._replace(payloads=payloads)
        return change


class ReusesPositions(Altering):
    def alter(self, change: Change) -> Change:
        if isinstance(change, Append):
            newest = [
                record.position
                for conversation in self._conversations.values()
                for lines in conversation.logs.values()
                for record in lines.records
            ]
            self._positions = count(max(newest, default=0) + 1)
        return change


class ReusesPositionsAfterDeletion(MemoryStore):
    async def delete(self, session: str, *, expect: int | None = None) -> None:
        await super().delete(session, expect=expect)
        if not await self.sessions():
            self._positions = count(1)


class ReusesPositionsAfterACut(Altering):
    def alter(self, change: Change) -> Change:
        if isinstance(change, Append) and change.cut is not None:
            self._positions = count(max(change.cut, 0) + 1)
        return change


class JoinsNamesWithAColon(MemoryStore):
    """The session "a:b" and the log "b" of the session "a" are the same."""

    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        return await super().append(_joined(log), payloads, **how)

    async def read(self, log: Log, **window: Any) -> Records:
        return await super().read(_joined(log), **window)


def _joined(log: Log) -> Log:
    session, _, name = ":".join(log).rpartition(":")
    return Log(session, name)
