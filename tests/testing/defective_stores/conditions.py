"""Defects in the conditions of changes."""

import asyncio
from collections.abc import Sequence
from typing import Any

from tests.testing.defective_stores.altering import Altering, check_early, unconditional
from turnlog.changes import (
    Annotate,
    Append,
    Change,
    Check,
    Committed,
    Forget,
    Key,
    Remove,
    check_changes,
)
from turnlog.errors import Conflict
from turnlog.stores.memory import MemoryStore


class IgnoresExpect(Altering):
    def alter(self, change: Change) -> Change:
        if isinstance(change, Append) and change.expect:
            return change._replace(expect=None)
        return change


class RemovesWithoutExpecting(Altering):
    def alter(self, change: Change) -> Change:
        return unconditional(change) if isinstance(change, Remove) else change


class ForgetsWithoutExpecting(Altering):
    def alter(self, change: Change) -> Change:
        return unconditional(change) if isinstance(change, Forget) else change


class IgnoresTheExpectedNote(Altering):
    def alter(self, change: Change) -> Change:
        return unconditional(change) if isinstance(change, Annotate) else change


class ChecksNothing(Altering):
    def alter(self, change: Change) -> Change:
        return unconditional(change) if isinstance(change, Check) else change


class DeletesWithoutExpecting(MemoryStore):
    async def delete(self, session: str, *, expect: int | None = None) -> None:
        await super().delete(session)


class ChecksTooEarly(MemoryStore):
    """Another writer may write between the check and the write."""

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        check_changes(session, changes, key)
        await check_early(self, session, changes)
        await asyncio.sleep(0)
        return await super().commit(session, [unconditional(c) for c in changes], key=key)


class TakesAGoneSessionForUnchanged(MemoryStore):
    """Checks again under the lock, but only if the session is still there."""

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        check_changes(session, changes, key)
        if key is None:
            await check_early(self, session, changes)
            await asyncio.sleep(0)
            if session not in self._conversations:
                changes = [unconditional(change) for change in changes]
        return await super().commit(session, changes, key=key)


class ReportsTheWrongEnd(MemoryStore):
    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        try:
            return await super().commit(session, changes, **how)
        except Conflict as conflict:
            raise Conflict(conflict.log, conflict.expected, 0) from None


class ReportsTheLastConflict(MemoryStore):
    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        try:
            return await super().commit(session, changes, **how)
        except Conflict:
            return await super().commit(session, changes[::-1], **how)


class ExpectsTheEndAfterTheCut(Altering):
    def alter(self, change: Change) -> Change:
        if isinstance(change, Append) and change.cut is not None and change.expect is not None:
            return change._replace(expect=None)
        return change


class ShowsTheNoteInAConflict(MemoryStore):
    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        try:
            return await super().commit(session, changes, **how)
        except Conflict as conflict:
            raise _Telling(*conflict.args) from None


class _Telling(Conflict):
    def __str__(self) -> str:
        return f"{self.log.name}: expected {self.expected!r}, found {self.actual!r}"
