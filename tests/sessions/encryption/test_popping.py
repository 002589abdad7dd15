"""Popping from strangers, whose pop removes an item before one can look at it."""

import asyncio
import copy
from collections.abc import Callable

import pytest

from tests.sample_items import user
from tests.strangers import PLAIN, TALK, Stranger, sealed
from turnlog import EncryptedSession, Item, SessionABC, StoredSession
from turnlog.layers.encryption.sdk_format import UnreadableEnvelope
from turnlog.sessions.encryption.popping import RecordTakenOut
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio


class Racing(Stranger):
    """Another writer does something between the look and the pop."""

    meanwhile: Callable[[list[Item]], object] | None = None
    refuses = 0

    async def pop_item(self) -> Item | None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile(self._shelf[self.session_id])
        return await super().pop_item()

    async def add_items(self, items: list[Item]) -> None:
        if self.refuses:
            self.refuses -= 1
            raise OSError("disk full")
        await super().add_items(items)


async def racing(meanwhile: Callable[[list[Item]], object]) -> tuple[Racing, EncryptedSession]:
    stranger = Racing("a", {})
    session = sealed(stranger)
    await session.add_items(TALK)
    stranger.meanwhile = meanwhile
    return stranger, session


async def test_what_came_meanwhile_and_can_be_opened_is_popped() -> None:
    envelopes = Stranger("a", {})
    await sealed(envelopes).add_items([user("three")])
    [extra] = await envelopes.get_items()
    _, session = await racing(lambda shelf: shelf.append(extra))
    assert await session.pop_item() == user("three")
    assert await session.get_items() == TALK


async def test_what_came_meanwhile_and_cannot_be_opened_is_put_back() -> None:
    stranger, session = await racing(lambda shelf: shelf.append(PLAIN))
    with pytest.raises(UnreadableEnvelope):
        await session.pop_item()
    assert (await stranger.get_items())[-1] == PLAIN
    assert await session.get_items() == TALK


async def test_what_was_popped_meanwhile_is_not_popped_again() -> None:
    _, session = await racing(lambda shelf: shelf.pop())
    assert await session.pop_item() == TALK[2]
    assert await session.get_items() == TALK[:2]


async def test_all_went_meanwhile() -> None:
    _, session = await racing(lambda shelf: shelf.clear())
    assert await session.pop_item() is None


async def test_what_cannot_be_put_back_is_in_the_error() -> None:
    stranger, session = await racing(lambda shelf: shelf.append(PLAIN))
    stranger.refuses = 1
    with pytest.raises(RecordTakenOut, match="`item`") as raised:
        await session.pop_item()
    assert raised.value.item == PLAIN
    assert isinstance(raised.value.__cause__, OSError)
    assert "plain text" not in str(raised.value)


async def test_a_cancelled_pop_puts_back() -> None:
    def cancelling(shelf: list[Item]) -> None:
        shelf.append(PLAIN)
        task.cancel()

    stranger, session = await racing(cancelling)
    task = asyncio.ensure_future(session.pop_item())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await stranger.get_items())[-1] == PLAIN
    assert await session.get_items() == TALK


class Least(SessionABC):
    """The least that a session of one's own needs: no limit, and no pop."""

    def __init__(self) -> None:
        self.session_id = "a"
        self.kept: list[Item] = []

    async def get_items(self) -> list[Item]:  # type: ignore[override]
        return copy.deepcopy(self.kept)

    async def add_items(self, items: list[Item]) -> None:
        self.kept += items


async def test_a_session_without_limit_and_pop() -> None:
    session = sealed(Least())
    await session.add_items(TALK)
    assert await session.get_items() == TALK
    assert await session.get_items(2) == TALK[2:]
    assert await session.get_items(0) == []
    with pytest.raises(NotImplementedError, match="Least"):
        await session.pop_item()
    assert await session.get_items() == TALK


async def test_overridden_pops_are_called() -> None:
    """A class that overrides `pop_item` alone has its way."""
    popped = []

    class Mine(StoredSession):
        async def pop_item(self) -> Item | None:
            popped.append(1)
            return await super().pop_item()

    session = sealed(Mine("a", MemoryStore()))
    await session.add_items(TALK)
    assert await session.pop_item() == TALK[3]
    assert popped == [1]
