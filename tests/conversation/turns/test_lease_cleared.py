"""A lease whose holder clears the session, while other tasks of the same run look at it."""

import asyncio
from typing import Any

import pytest

from tests.conversation.turns.leases import LOG
from turnlog.conversation.turns.lease import Lease
from turnlog.records import Records
from turnlog.store import Layer
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio


class LateAnswer(Layer):
    """The answer to the first read that begins once `is_slow` is held back."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.is_slow = False
        self.was_read = asyncio.Event()
        self.may_answer = asyncio.Event()

    async def read(self, *args: Any, **options: Any) -> Records:
        found = await super().read(*args, **options)
        if self.is_slow:
            self.is_slow = False
            self.was_read.set()
            await self.may_answer.wait()
        return found


@pytest.mark.parametrize("verb", ["renew", "confirm"])
async def test_a_look_at_the_moment_without_a_claim_loses_nothing(verb: str) -> None:
    """Between the deletion and the next claim the log is empty, as that of a free lease is."""
    store = LateAnswer()
    lease = Lease(store, LOG)
    await lease.take()
    looking: list[asyncio.Task[None]] = []

    async def delete() -> None:
        await store.delete(LOG.session)
        store.is_slow = True
        looking.append(asyncio.create_task(getattr(lease, verb)()))
        await store.was_read.wait()

    await lease.clear(delete)
    store.may_answer.set()
    await looking[0]
    await lease.confirm()
    await lease.give_back()
    assert await store.read(LOG.beside("lease")) == []
