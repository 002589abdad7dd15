"""A lease whose holder clears the session, while other tasks of the same run look at it."""

import asyncio
from typing import Any

import pytest

from tests.conversation.turns.leases import LOG, check
from turnlog.changes import Append, Forget
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


@pytest.mark.parametrize("verb", ["renew", "check"])
async def test_a_look_before_the_session_was_cleared_loses_nothing(verb: str) -> None:
    """The claim that it finds was replaced meanwhile."""
    store = LateAnswer()
    lease = Lease(store, LOG)
    await lease.take()
    await store.inner.commit("session", [lease._claims.claim(lease.holder, lease._position)])
    store.is_slow = True
    looking = asyncio.create_task(lease.renew() if verb == "renew" else check(lease))
    await store.was_read.wait()
    await lease.renew(Append("main", [b"{}"]), Forget("side"))
    store.may_answer.set()
    await looking
    await check(lease)
    await lease.give_back()
    assert await store.read(LOG.beside("lease")) == []
