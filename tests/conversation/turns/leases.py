"""Leases of holders that died, tasks outside of a turn, and a layer that holds back writes."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextvars import Context
from typing import Any, TypeVar

from turnlog import Log, Store, StoredSession
from turnlog.conversation.turns.lease import Lease
from turnlog.store import Layer

__all__ = ["LOG", "SHORT", "Gate", "apart", "dead", "other"]

T = TypeVar("T")

LOG = Log("session")
SHORT = 0.3  # seconds that the lease of a dead holder lasts


def other(session: StoredSession) -> StoredSession:
    """The same conversation, as another request has it."""
    return StoredSession(session.session_id, session.store, branch=session.branch)


async def dead(store: Store, seconds: float = SHORT) -> Lease:
    """A lease whose holder doesn't live to renew it."""
    lease = Lease(store, LOG, seconds=seconds)
    assert await lease.take() is None
    assert lease._timer is not None
    lease._timer.cancel()
    return lease


async def apart(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` as a task that belongs to no turn."""
    return await asyncio.get_running_loop().create_task(work, context=Context())


class Gate(Layer):
    """Holds back appends to one log until told to let them go."""

    def __init__(self, inner: Store, log: Log) -> None:
        super().__init__(inner)
        self.log = log
        self.came = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def append(self, log: Log, payloads: Sequence[bytes], **options: Any) -> int:
        if log == self.log and not self.open.is_set():
            self.came.set()
            await self.open.wait()
        return await super().append(log, payloads, **options)
