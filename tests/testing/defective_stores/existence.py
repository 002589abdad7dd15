"""Defects in which conversations there are, and in their times."""

from collections.abc import Sequence
from typing import Any

from turnlog.changes import (
    Annotate,
    Change,
    Committed,
    Forget,
    Remove,
)
from turnlog.store import Head
from turnlog.stores.memory import MemoryStore


class MakesASessionOfNothing(MemoryStore):
    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        done = await super().commit(session, changes, **how)
        removing = any(isinstance(change, Remove | Forget) for change in changes)
        if removing and session not in self._conversations:
            await super().commit(session, [Annotate("main", b"")])
        return done


class MovesTheTimeOfMainWithEveryLog(MemoryStore):
    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        done = await super().commit(session, changes, **how)
        if session in self._conversations and not done.replayed:
            self._conversations[session]._touch("main")
        return done


class ListsOnlyWhatHasRecords(MemoryStore):
    async def sessions(self, **page: Any) -> list[Head]:
        return [head for head in await super().sessions(**page) if head.length]


class DeletesTooMuch(MemoryStore):
    async def delete(self, session: str, *, expect: int | None = None) -> None:
        await super().delete(session, expect=expect)
        for head in await self.sessions(prefix=session, limit=10**6):
            await super().delete(head.log.session)
