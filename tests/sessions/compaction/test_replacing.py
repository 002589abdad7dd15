"""Replacement in two steps: whatever fails or is cancelled, what was there is put back."""

import asyncio
import copy
from collections.abc import Awaitable, Callable

import pytest

from tests.sample_items import answer, user
from tests.strangers import TALK, Stranger
from turnlog import Item
from turnlog.sessions.compaction.replacing import replaced

pytestmark = pytest.mark.anyio

MADE = [user("one"), user("two"), {"type": "compaction", "encrypted_content": "sealed"}]


class Stepwise(Stranger):
    """Does at each step of its calls what `step` says; clears and adds item by item."""

    def __init__(self, step: Callable[[int], Awaitable[None]]) -> None:
        super().__init__("user", {"user": copy.deepcopy(TALK)})
        self.step, self.steps = step, 0

    async def _step(self) -> None:
        self.steps += 1
        await self.step(self.steps)

    async def get_items(self, limit: int | None = None) -> list[Item]:
        await self._step()
        return await super().get_items(limit)

    async def add_items(self, items: list[Item]) -> None:
        for item in items:
            await self._step()
            await super().add_items([item])
        await self._step()

    async def clear_session(self) -> None:
        await self._step()
        while await super().pop_item():
            await self._step()


async def held(session: Stepwise) -> list[Item]:
    return await Stranger.get_items(session)


async def replacing(session: Stepwise) -> None:
    await replaced(session, MADE, TALK, session.get_items, lambda: None)


async def steps_of_a_failure() -> int:
    """How many steps a replacement has whose first item can't be added."""
    return (await failing(lambda _: None, at=6)).steps


async def failing(meanwhile: Callable[[int], object], at: int) -> Stepwise:
    async def step(number: int) -> None:
        await asyncio.sleep(0)
        if number == at:
            raise ConnectionError("lost")
        meanwhile(number)

    session = Stepwise(step)
    with pytest.raises((ConnectionError, asyncio.CancelledError)):
        await asyncio.ensure_future(replacing(session))
    return session


async def test_cancelled_at_each_step() -> None:
    number = 0
    while True:
        number += 1
        tasks: list[asyncio.Task[None]] = []

        async def step(now: int, *, at: int = number, running: list[object] = tasks) -> None:  # type: ignore[assignment]
            await asyncio.sleep(0)
            if now == at:
                running[0].cancel()  # type: ignore[attr-defined]
            await asyncio.sleep(0)

        session = Stepwise(step)
        tasks.append(asyncio.ensure_future(replacing(session)))
        [ended], _ = await asyncio.wait(tasks)
        if not ended.cancelled():
            break
        assert await held(session) == TALK
    assert await held(session) == MADE
    assert number > len(TALK) + len(MADE)


async def test_cancelled_at_each_step_of_putting_back() -> None:
    """Also if the event loop is about to close, and cancels every task that there is."""
    whole = await steps_of_a_failure()
    assert whole > 10
    for is_closing in (False, True):
        for at in range(7, whole):
            mine = asyncio.current_task()
            before = asyncio.all_tasks()

            def meanwhile(number: int) -> None:
                if number == at:  # noqa: B023 - it is called in this round
                    for task in asyncio.all_tasks() - before:  # noqa: B023
                        if is_closing or task is not asyncio.current_task():  # noqa: B023
                            task.cancel()

            session = await failing(meanwhile, at=6)
            assert mine is asyncio.current_task()
            assert await held(session) == TALK, (is_closing, at)


async def test_a_cancellation_tells_that_nothing_could_be_put_back() -> None:
    async def step(number: int) -> None:
        await asyncio.sleep(0)
        if number == 8:
            task.cancel()
        if number > 5:
            raise ConnectionError("lost")

    session = Stepwise(step)
    task = asyncio.ensure_future(replacing(session))
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert "4 items that were there could not be put back" in caught.value.__notes__[0]
    assert isinstance(caught.value.__cause__, ConnectionError)


@pytest.mark.parametrize("at", range(1, 10))
async def test_what_others_add_meanwhile_stays_behind_it(at: int) -> None:
    """Whether it fails while it clears, or while it adds."""
    theirs = [user("theirs"), answer("too")]

    async def step(number: int) -> None:
        if number == at:
            await Stranger.add_items(session, theirs)
            raise ConnectionError("lost")

    session = Stepwise(step)
    with pytest.raises(ConnectionError):
        await replacing(session)
    assert await held(session) == [*TALK, *theirs]
