"""Leases of holders that died, tasks outside of a turn, and a layer that holds back writes."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from contextvars import Context
from typing import Any, TypeVar

from turnlog import Log, Store, StoredSession
from turnlog.changes import Append, Change, Committed, Key
from turnlog.conversation.turns.beginning import turn_begun
from turnlog.conversation.turns.lease import Lease
from turnlog.conversation.turns.policy import Policy
from turnlog.items.merge import Merged
from turnlog.store import Layer

__all__ = [
    "LOG",
    "SHORT",
    "Gate",
    "apart",
    "blocker",
    "check",
    "dead",
    "names",
    "other",
    "turn_taken",
]

T = TypeVar("T")

LOG = Log("session")
SHORT = 0.3  # seconds that the lease of a dead holder lasts


def other(session: StoredSession) -> StoredSession:
    """The same conversation, as another request has it."""
    return StoredSession(session.session_id, session.store, branch=session.branch)


async def dead(store: Store, seconds: float = SHORT) -> Lease:
    """A lease whose holder doesn't live to renew it."""
    lease = Lease(store, LOG, seconds=seconds)
    assert await blocker(lease) is None
    assert lease._timer is not None
    lease._timer.cancel()
    return lease


async def apart(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` as a task that belongs to no turn."""
    return await asyncio.get_running_loop().create_task(work, context=Context())


async def blocker(lease: Lease, *, in_order: bool = False) -> str | None:
    """Try to take a lease: None if that worked, else its holder."""
    done = await lease.take(in_order=in_order)
    return done if isinstance(done, str) else None


async def check(lease: Lease) -> None:
    """Raise `LeaseLost` unless the lease is held."""
    await lease.commit([], Key("check"))


@asynccontextmanager
async def turn_taken(
    session: StoredSession, policy: Policy = "queue", *, seconds: float | None = None
) -> AsyncIterator[StoredSession]:
    """A turn that begins without a question."""

    async def nothing(session: StoredSession, *, resumes: bool = True) -> Merged:
        return Merged([], [])

    async with turn_begun(session, nothing, policy, seconds=seconds) as begun:
        yield begun.session


def names(changes: Sequence[Change]) -> set[str]:
    """The logs that a commit adds to."""
    return {change.log for change in changes if isinstance(change, Append) and change.payloads}


class Gate(Layer):
    """Holds back commits that add to one log until told to let them go."""

    def __init__(self, inner: Store, log: Log) -> None:
        super().__init__(inner)
        self.log = log
        self.came = asyncio.Event()
        self.open = asyncio.Event()
        self.open.set()

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        if self.log.name in names(changes) and not self.open.is_set():
            self.came.set()
            await self.open.wait()
        return await super().commit(session, changes, key=key)
