"""Compactions, undoing and forks that are cancelled at each call of the store: done or not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

import pytest

from turnlog import Item, Store, StoredSession
from turnlog.store import Call, Layer
from turnlog.stores.memory import MemoryStore
from turnlog.testing.five_turns import texts, told
from turnlog.testing.three_turns import turns

pytestmark = pytest.mark.anyio

T = TypeVar("T")
Act: TypeAlias = Callable[[StoredSession], Awaitable[object]]

#: What "main" shows, and what a fork of it shows.
Shown: TypeAlias = tuple[list[Item], list[Item]]

ALL, SUMMED = turns(1, 2, 3, 4, 5), told(1, 2, 3, last=5)


class Cancelling(Layer):
    """Cancels `task` at the call with this number: before it is made, or when it has been made."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.task: asyncio.Task[object] | None = None
        self.calls = self.number = 0
        self.is_before = False

    async def around(self, call: Call[T]) -> T:
        self.calls += 1
        is_it = self.calls == self.number
        if is_it and self.is_before:
            self._cancel()
        await asyncio.sleep(0)
        result = await call()
        if is_it and not self.is_before:
            self._cancel()
        await asyncio.sleep(0)
        return result

    def _cancel(self) -> None:
        assert self.task is not None
        self.task.cancel()


async def compacted(session: StoredSession) -> object:
    return await session.compact(texts)


async def undone(session: StoredSession) -> object:
    return await session.drop_summary()


async def forked(session: StoredSession) -> object:
    return await session.fork("f")


@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.parametrize(
    ("act", "before", "after"),
    [
        (compacted, (ALL, []), (SUMMED, [])),
        (undone, (SUMMED, []), (ALL, [])),
        (forked, (SUMMED, []), (SUMMED, SUMMED)),
    ],
    ids=["compacted", "undone", "forked"],
)
async def test_it_is_done_or_not(act: Act, before: Shown, after: Shown, is_before: bool) -> None:
    seen: list[Shown] = []
    while True:
        store = Cancelling(MemoryStore())
        session = StoredSession("s", store)
        await session.add_items(ALL)
        if act is not compacted:
            await session.compact(texts)
        store.calls, store.number, store.is_before = 0, len(seen) + 1, is_before
        store.task = asyncio.ensure_future(act(session))
        await asyncio.wait([store.task])
        if store.calls < store.number:
            break
        store.number = 0
        seen.append(await _shown(session))
        other = StoredSession("s", store.inner)
        assert await other.get_items() == await session.get_items() == await other.view()
        assert await other.history() == ALL
        async with other.turn("question 6", policy="reject") as turn:  # nobody holds a lease
            await turn.add(turns(6)[1:])
    assert all(each in (before, after) for each in seen)
    assert seen[0] == before
    assert is_before or seen[-1] == after


async def _shown(session: StoredSession) -> Shown:
    fork = StoredSession("s", session.store, branch="f")
    return await session.get_items(), await fork.get_items()
