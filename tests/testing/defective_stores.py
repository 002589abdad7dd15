"""Defective stores, each with one defect that the kit has to find."""

import asyncio
from collections.abc import Sequence
from itertools import count
from typing import Any

from turnlog.errors import Conflict
from turnlog.records import Log, Records
from turnlog.store import Cursor, Head, Layer, Store
from turnlog.stores.memory import MemoryStore


class Sound(MemoryStore):
    """Has no defect: the kit has to pass."""


class Reorders(MemoryStore):
    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        return await super().append(log, payloads[::-1], **how)


class LosesTheLastOfABatch(MemoryStore):
    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        return await super().append(log, payloads[:-1] if payloads[2:] else payloads, **how)


class ReusesPositions(MemoryStore):
    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        self._positions = count(self._find(log).last + 1)
        return await super().append(log, payloads, **how)


class ReusesPositionsAfterDeletion(MemoryStore):
    async def delete(self, session: str, name: str | None = None) -> None:
        await super().delete(session, name)
        if not await self.logs(session):
            self._positions = count(1)


class IgnoresExpect(MemoryStore):
    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        if how.get("expect"):
            del how["expect"]
        return await super().append(log, payloads, **how)


class ChecksExpectTooEarly(MemoryStore):
    """Another writer may write between the check and the write."""

    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        await super().append(log, [], **how)
        await asyncio.sleep(0)
        return await super().append(log, payloads, key=how.get("key"))


class TakesAGoneLogForUnchanged(MemoryStore):
    """Checks `expect` only if the log exists."""

    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        await super().append(log, [], expect=how.get("expect"))
        await asyncio.sleep(0)
        if not await self.logs(log.session):
            how["expect"] = None
        return await super().append(log, payloads, **how)


class ForgetsKeysLate(MemoryStore):
    """Deletes in two steps; a write may come between them."""

    async def delete(self, session: str, name: str | None = None) -> None:
        await super().delete(session, name)
        await asyncio.sleep(0)
        for log in [head.log for head in await self.logs(session) if name in {None, head.log.name}]:
            await self.remove(log)


class ReportsTheWrongEnd(MemoryStore):
    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        try:
            return await super().append(log, payloads, **how)
        except Conflict as conflict:
            raise Conflict(log, conflict.expected, 0) from None


class RemovesWithoutExpecting(MemoryStore):
    async def remove(self, log: Log, **what: Any) -> int:
        what.pop("expect", None)
        return await super().remove(log, **what)


class StoresTwiceUnderAKey(MemoryStore):
    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        return await super().append(log, payloads, expect=how.get("expect"))


class SharesKeysBetweenLogs(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self._done: dict[str, int] = {}

    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        key = how.get("key")
        if key in self._done:
            return self._done[key]
        last = await super().append(log, payloads, **how)
        if key is not None and payloads:
            self._done[key] = last
        return last


class ForgetsKeysWithTheRecords(MemoryStore):
    async def remove(self, log: Log, **what: Any) -> int:
        removed = await super().remove(log, **what)
        if removed:
            self._find(log).keys.clear()
        return removed


class UsesTheKeyUpInAConflict(MemoryStore):
    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        try:
            return await super().append(log, payloads, **how)
        except Conflict as conflict:
            if how.get("key") is not None:
                self._touch(log).keys[how["key"]] = conflict.actual
            raise


class WritesBeforeItChecks(MemoryStore):
    """Writes one payload at a time: a wrong one stops it in the middle."""

    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        last = await super().append(log, payloads[:1], **how)
        for payload in payloads[1:]:
            last = await super().append(log, [payload])
        return last


class MixesBatches(MemoryStore):
    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        if how or len(payloads) != 3:
            return await super().append(log, payloads, **how)
        for payload in payloads:
            last = await super().append(log, [payload])
            await asyncio.sleep(0)
        return last


class WritesAfterItWasCancelled(MemoryStore):
    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        return await asyncio.shield(self._later(super().append(log, payloads, **how)))

    async def _later(self, write: Any) -> int:
        for _ in range(8):
            await asyncio.sleep(0)
        last: int = await write
        return last


class TellsOfWritesOutOfOrder(MemoryStore):
    """A record may be visible before the record with the position below."""

    _reads = 0

    async def read(self, log: Log, **window: Any) -> Records:
        records = await super().read(log, **window)
        self._reads += 1
        if len(records) < 40 or self._reads % 3:
            return records
        return Records.of([*records[:-2], records[-1]])


class ShowsTheOldest(MemoryStore):
    async def read(self, log: Log, **window: Any) -> Records:
        limit = window.pop("limit", None)
        return (await super().read(log, **window))[:limit]


class ReadsAfterInclusively(MemoryStore):
    async def read(self, log: Log, **window: Any) -> Records:
        window["after"] = max(0, window.get("after", 0) - 1)
        return await super().read(log, **window)


class TakesAPrefixForAPattern(MemoryStore):
    async def sessions(
        self, *, prefix: str = "", after: Cursor | None = None, limit: int = 50
    ) -> list[Head]:
        prefix = prefix.split("%", maxsplit=1)[0]
        return await super().sessions(prefix=prefix, after=after, limit=limit)


class ForgetsThePage(MemoryStore):
    async def sessions(
        self, *, prefix: str = "", after: Cursor | None = None, limit: int = 50
    ) -> list[Head]:
        after = after and after._replace(session="\U0010ffff")
        return await super().sessions(prefix=prefix, after=after, limit=limit)


class ListsByName(MemoryStore):
    async def sessions(
        self, *, prefix: str = "", after: Cursor | None = None, limit: int = 50
    ) -> list[Head]:
        heads = await super().sessions(prefix=prefix, limit=10**6)
        heads.sort(key=lambda head: head.log.session)
        return [h for h in heads if after is None or h.log.session > after.session][:limit]


class PagesByTimeAlone(MemoryStore):
    """Of sessions that changed in the same second, pages show only one."""

    async def sessions(
        self, *, prefix: str = "", after: Cursor | None = None, limit: int = 50
    ) -> list[Head]:
        heads = await super().sessions(prefix=prefix, limit=10**6)
        heads = [head._replace(updated_at=float(int(head.updated_at))) for head in heads]
        return [h for h in heads if after is None or h.updated_at < after.updated_at][:limit]


class ForgetsTheEmptyLog(MemoryStore):
    async def remove(self, log: Log, **what: Any) -> int:
        removed = await super().remove(log, **what)
        if removed and not self._find(log).records:
            await self.delete(*log)
        return removed


class JoinsNamesWithAColon(MemoryStore):
    """The session "a:b" and the log "b" of the session "a" are the same."""

    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        return await super().append(_joined(log), payloads, **how)

    async def read(self, log: Log, **window: Any) -> Records:
        return await super().read(_joined(log), **window)


def _joined(log: Log) -> Log:
    session, _, name = ":".join(log).rpartition(":")
    return Log(session, name)


class CutsAtNUL(MemoryStore):
    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        if all(type(payload) is bytes for payload in payloads):
            payloads = [payload.split(b"\x00")[0] for payload in payloads]
        return await super().append(log, payloads, **how)


class DeletesTooMuch(MemoryStore):
    async def delete(self, session: str, name: str | None = None) -> None:
        await super().delete(session, name)
        if name is None:
            for head in await self.sessions(prefix=session, limit=10**6):
                await super().delete(head.log.session)


class LosesTheNote(MemoryStore):
    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        last = await super().append(log, payloads, **how)
        if payloads:
            self._find(log).note = b""
        return last


class TellsLocalTime(MemoryStore):
    async def logs(self, session: str) -> list[Head]:
        return [
            head._replace(created_at=head.created_at + 3600, updated_at=head.updated_at + 3600)
            for head in await super().logs(session)
        ]


class StaysOpen(MemoryStore):
    async def aclose(self) -> None:
        pass


class ClosesOnlyOnce(MemoryStore):
    async def aclose(self) -> None:
        with self._open():
            pass
        await super().aclose()


class BelongsToOneEventLoop(MemoryStore):
    """Works only on the event loop that uses it first."""

    _loop: asyncio.AbstractEventLoop | None = None

    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        self._loop = self._loop or asyncio.get_running_loop()
        if self._loop is not asyncio.get_running_loop():
            raise RuntimeError("attached to a different loop")
        return await super().append(log, payloads, **how)


class LosesALayersKeywords(Layer):
    def __init__(self) -> None:
        super().__init__(MemoryStore())

    async def append(self, log: Log, payloads: Sequence[bytes], **how: Any) -> int:
        how.pop("key", None)
        return await super().append(log, payloads, **how)


DEFECTS: list[type[Store]] = [
    store
    for store in list(vars().values())
    if isinstance(store, type)
    and issubclass(store, MemoryStore | Layer)
    and store not in (MemoryStore, Layer, Sound)
]
