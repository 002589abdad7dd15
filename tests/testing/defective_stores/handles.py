"""Defects in handles and layers: identity, closing, event loops, arguments."""

import asyncio
from collections.abc import Hashable, Sequence
from typing import Any

from turnlog.changes import (
    Change,
    Committed,
)
from turnlog.store import Layer
from turnlog.stores.memory import MemoryStore


class IsEqualToEveryStore(MemoryStore):
    @property
    def identity(self) -> Hashable:
        return _Equal()


class _Equal:
    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


class IsEqualToNone(MemoryStore):
    @property
    def identity(self) -> Hashable:
        return object()


class LosesItsIdentityWhenClosed(MemoryStore):
    @property
    def identity(self) -> Hashable:
        return None if self._closed else super().identity


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

    async def commit(self, session: str, changes: Sequence[Change], **how: Any) -> Committed:
        self._loop = self._loop or asyncio.get_running_loop()
        if self._loop is not asyncio.get_running_loop():
            raise RuntimeError("attached to a different loop")
        return await super().commit(session, changes, **how)


class _Forgetful(Layer):
    def __init__(self) -> None:
        super().__init__(MemoryStore())


class LosesALayersKey(_Forgetful):
    async def commit(self, session: str, changes: Sequence[Change], **_: Any) -> Committed:
        return await super().commit(session, changes)


class LosesALayersExpect(_Forgetful):
    async def delete(self, session: str, **_: Any) -> None:
        await super().delete(session)
