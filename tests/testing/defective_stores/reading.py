"""Defects in reading and listing."""

from typing import Any

from turnlog.records import Log, Records
from turnlog.store import Cursor, Head
from turnlog.stores.memory import MemoryStore


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
        return await super().read(log, **window | {"oldest": True})


class ShowsTheNewest(MemoryStore):
    async def read(self, log: Log, **window: Any) -> Records:
        return await super().read(log, **window | {"oldest": False})


class ShowsTheOldestLast(MemoryStore):
    async def read(self, log: Log, **window: Any) -> Records:
        records = await super().read(log, **window)
        return Records.of(list(records)[::-1]) if window.get("oldest") else records


class ReadsAfterInclusively(MemoryStore):
    async def read(self, log: Log, **window: Any) -> Records:
        window["after"] = max(0, window.get("after", 0) - 1)
        return await super().read(log, **window)


class TakesAPrefixForAPattern(MemoryStore):
    async def sessions(self, *, prefix: str = "", **page: Any) -> list[Head]:
        return await super().sessions(prefix=prefix.split("%", maxsplit=1)[0], **page)


class ForgetsThePage(MemoryStore):
    async def sessions(self, *, after: Cursor | None = None, **page: Any) -> list[Head]:
        return await super().sessions(after=after and after._replace(session="\U0010ffff"), **page)


class ListsByName(MemoryStore):
    async def sessions(
        self, *, prefix: str = "", after: Cursor | None = None, limit: int = 50, **how: Any
    ) -> list[Head]:
        heads = await super().sessions(prefix=prefix, limit=10**6)
        heads.sort(key=lambda head: head.log.session)
        return [h for h in heads if after is None or h.log.session > after.session][:limit]


class ListsTheNewestFirstAlways(MemoryStore):
    async def sessions(self, *, oldest: bool = False, **page: Any) -> list[Head]:
        return await super().sessions(**page)


class TurnsThePageRound(MemoryStore):
    """`oldest` shows the same page, the other way round."""

    async def sessions(self, *, oldest: bool = False, **page: Any) -> list[Head]:
        heads = await super().sessions(**page)
        return heads[::-1] if oldest else heads


class PagesByTimeAlone(MemoryStore):
    """Of sessions that changed in the same second, pages show only one."""

    async def sessions(
        self, *, prefix: str = "", after: Cursor | None = None, limit: int = 50, **how: Any
    ) -> list[Head]:
        heads = await super().sessions(prefix=prefix, limit=10**6, **how)
        heads = [head._replace(updated_at=float(int(head.updated_at))) for head in heads]
        return [h for h in heads if after is None or h.updated_at < after.updated_at][:limit]


class TellsLocalTime(MemoryStore):
    async def logs(self, session: str) -> list[Head]:
        return [
            head._replace(created_at=head.created_at + 3600, updated_at=head.updated_at + 3600)
            for head in await super().logs(session)
        ]
