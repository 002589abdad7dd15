"""Random schedules: sessions add, pop, clear, rewind, fork, compact and undo at the same time.

Calls of the store are delayed, fail and lose their answers, and tasks are cancelled. A summary
lists what it stands for, so each view is compared with the plain log: nothing disappears, and
nothing is shown twice.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from random import Random
from typing import TypeVar

import pytest

from tests.conversation.compaction.listing_summariser import (
    checked,
    listing,
    numbered_turn,
    numbers,
)
from tests.sizes import SCHEDULES, STORED_SCHEDULES
from turnlog import Store, StoredSession
from turnlog.items.json import Item
from turnlog.store import Call, Layer
from turnlog.stores.memory import MemoryStore
from turnlog.testing.promises.cancelling import cancelled_at_random

pytestmark = pytest.mark.anyio

T = TypeVar("T")


class Lost(ConnectionError):
    """The store was not reached, or its answer was not."""


class Unsteady(Layer):
    """Delays calls, and lets some fail before they are made, or behind that."""

    def __init__(self, inner: Store, chance: Random) -> None:
        super().__init__(inner)
        self.fails = 0.0
        self._chance = chance

    async def around(self, call: Call[T]) -> T:
        await self._wait()
        if self._chance.random() < self.fails:
            raise Lost
        result = await call()
        await self._wait()
        if self._chance.random() < self.fails:
            raise Lost
        return result

    async def _wait(self) -> None:
        for _ in range(self._chance.randrange(4)):
            await asyncio.sleep(0)


class Schedule:
    """Three actors on one conversation.

    removes: whether they also remove items; if not, whatever was acknowledged has to stay.
    """

    def __init__(self, store: Store, seed: int) -> None:
        self.chance = Random(seed)
        self.store = Unsteady(store, self.chance)
        self.name = f"schedule {seed}"
        self.removes = seed % 2 == 1
        self.added: list[int] = []
        self._numbers = count(0, 10)

    async def run(self) -> None:
        main = self._session()
        for _ in range(4):
            await self._add(main)
        self.store.fails = self.chance.choice([0.0, 0.05])
        await asyncio.gather(*(self._act() for _ in range(3)))
        self.store.fails = 0.0
        for branch in await main.branches():
            found = await checked(StoredSession(self.name, self.store, branch=branch.name))
            assert len(found) == len(set(found))
            if branch.name == "main" and not self.removes:
                assert set(found) >= set(self.added)

    def _session(self) -> StoredSession:
        return StoredSession(self.name, self.store)

    async def _act(self) -> None:
        session = self._session()
        for _ in range(self.chance.randint(2, 6)):
            act = self.chance.choice(self._acts())
            try:
                if self.chance.random() < 0.1:
                    await cancelled_at_random(self.chance, _nothing(act, session))
                else:
                    await act(session)
            except (Lost, RuntimeError, ValueError):
                continue  # the store failed, or the branch has changed meanwhile

    def _acts(self) -> list[Callable[[StoredSession], Awaitable[object]]]:
        acts: list[Callable[[StoredSession], Awaitable[object]]]
        acts = [self._add, self._add, self._add, self._compact, self._compact, self._look]
        acts += [self._fork, StoredSession.drop_summary]
        if self.removes:
            acts += [StoredSession.pop_item, StoredSession.pop_item, self._rewind]
            acts += [StoredSession.clear_session] if self.chance.random() < 0.2 else []
        return acts

    async def _add(self, session: StoredSession) -> None:
        items = numbered_turn(next(self._numbers), calls=self.chance.random() < 0.5)
        await session.add_items(items)
        self.added += numbers(items)

    async def _compact(self, session: StoredSession) -> None:
        async def slowly(items: list[Item]) -> list[Item]:
            for _ in range(self.chance.randrange(20)):
                await asyncio.sleep(0)
            return await listing(items)

        await session.compact(slowly, keep=self.chance.randint(0, 3))

    async def _look(self, session: StoredSession) -> None:
        """What is acknowledged by now is in what is read from now on."""
        before = set() if self.removes else set(self.added)
        for read in (session.get_items, session.view):
            found = numbers(await read())
            assert len(found) == len(set(found)), "an item is shown twice"
            assert before <= set(found), "an item has disappeared"

    async def _fork(self, session: StoredSession) -> None:
        turns = await session.turns()
        await session.fork(at=self.chance.choice([None, *(turn.number for turn in turns)]))

    async def _rewind(self, session: StoredSession) -> None:
        await session.rewind(turns=self.chance.randint(1, 3))


async def _nothing(act: Callable[[StoredSession], Awaitable[object]], on: StoredSession) -> None:
    with suppress(Lost, RuntimeError, ValueError):
        await act(on)


@pytest.mark.proof
async def test_nothing_is_lost_or_shown_twice() -> None:
    for seed in range(SCHEDULES):
        try:
            await Schedule(MemoryStore(), seed).run()
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise


@pytest.mark.proof
@pytest.mark.stores("sqlite", "sqlite+sqlalchemy", "postgres", "redis")
async def test_it_is_so_on_every_store(any_store: Store) -> None:
    for seed in range(STORED_SCHEDULES):
        try:
            await Schedule(any_store, seed).run()
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
