"""Commits and deletions that are made in part, or in steps."""

import asyncio
from collections.abc import Sequence
from typing import Any

from tests.testing.defective_stores.altering import check_early, unconditional
from turnlog.changes import (
    Change,
    Committed,
    Key,
    check_changes,
)
from turnlog.records import Log
from turnlog.stores.memory import MemoryStore


class CommitsOneChangeAfterAnother(MemoryStore):
    """A condition that fails stops it in the middle."""

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        check_changes(session, changes, key)
        if key or len(changes) < 2:
            return await super().commit(session, changes, key=key)
        ends = {}
        for change in changes:
            ends[change.log] = (await super().commit(session, [change])).positions[0]
        return Committed.at(changes, ends)


class ShowsHalfACommit(MemoryStore):
    """All conditions are checked first, but readers and writers may come between the changes."""

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        check_changes(session, changes, key)
        if key or len(changes) < 2:
            return await super().commit(session, changes, key=key)
        await check_early(self, session, changes)
        ends = {}
        for change in changes:
            done = await super().commit(session, [unconditional(change)])
            ends[change.log] = done.positions[0]
            await asyncio.sleep(0)
        return Committed.at(changes, ends)


class LosesTheLastChange(MemoryStore):
    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        done = await super().commit(session, changes[:5], **how)
        return done._replace(positions=(*done.positions, 0, 0)[: len(changes)])


class AllowsContradictions(MemoryStore):
    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        try:
            return await super().commit(session, changes, **how)
        except ValueError as error:
            if "two changes" not in str(error):
                raise
            return await super().commit(session, changes[:1], **how)


class WritesBeforeItChecks(MemoryStore):
    """One payload at a time: a wrong one stops it in the middle."""

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
    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        return await asyncio.shield(self._later(super().commit(session, changes, **how)))

    async def _later(self, write: Any) -> Committed:
        for _ in range(8):
            await asyncio.sleep(0)
        done: Committed = await write
        return done


class DeletesInTwoSteps(MemoryStore):
    """A write may come between them."""

    async def delete(self, session: str, *, expect: int | None = None) -> None:
        await super().delete(session, expect=expect)
        await asyncio.sleep(0)
        await super().delete(session)
