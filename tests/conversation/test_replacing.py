"""Replacing items: calls that fail at every point, subclasses, and what counts as read."""

from contextlib import suppress
from typing import Any

import pytest

from tests.sample_items import answer, user
from turnlog import StoredSession
from turnlog.conversation.handle import faithful
from turnlog.items.json import Item
from turnlog.records import Log
from turnlog.stores.memory import MemoryStore
from turnlog.testing import Failing, Failure

pytestmark = pytest.mark.anyio

TALK = [user("one"), answer("1"), user("two"), answer("2")]
SUMMARY: Item = {"type": "compaction", "id": "cmp_1", "encrypted_content": "sealed"}


async def manually(session: StoredSession) -> bool:
    return await session._atomic_replace_items([user("one"), SUMMARY])


async def automatically(session: StoredSession) -> bool:
    snapshot = await session._get_compaction_snapshot(5)
    assert snapshot is not None
    return await snapshot.replace_suffix(0, [user("one"), SUMMARY])


class FailingOnce:
    """The plan in which call number `number` fails."""

    def __init__(self, number: int, *, happened: bool) -> None:
        self.left = number
        self.failure = Failure(ConnectionError("lost"), happened=happened)

    def __call__(self, verb: str) -> Failure | None:
        self.left -= 1
        return self.failure if self.left == 0 else None


@pytest.mark.parametrize("happened", [False, True])
@pytest.mark.parametrize("way", [manually, automatically])
async def test_a_failure_leaves_the_old_or_the_new_history(way: Any, happened: bool) -> None:
    found = []
    for number in range(1, 9):
        store = MemoryStore()
        failing = Failing(store)
        session = StoredSession("s", failing)
        await session.add_items(TALK)
        failing.plan = plan = FailingOnce(number, happened=happened)
        with suppress(ConnectionError):
            await way(session)
        found.append(await StoredSession("s", store).get_items())
        if plan.left > 0:
            break
    assert all(items in (TALK, [user("one"), SUMMARY]) for items in found)
    assert found[0] == TALK
    assert found[-1] == [user("one"), SUMMARY]
    assert 2 < len(found) < 8


async def test_a_question_that_was_answered_is_asked_anew() -> None:
    session = StoredSession("s", MemoryStore())
    await session.add_items(TALK[:2])
    await manually(session)
    async with session.turn("one") as turn:
        await turn.add([answer("again")])
    assert await session.get_items() == [user("one"), SUMMARY, user("one"), answer("again")]


async def test_a_deleted_branch_does_not_come_back() -> None:
    store = MemoryStore()
    session = StoredSession("s", store, branch="side")
    await session.add_items(TALK)
    snapshot = await session._get_compaction_snapshot(5)
    assert snapshot is not None
    await store.append(Log("s", "side").beside("deleted"), [b"{}"])
    with pytest.raises(ValueError, match="deleted"):
        await snapshot.replace_suffix(0, [SUMMARY])
    with pytest.raises(ValueError, match="deleted"):
        await session._atomic_replace_items([SUMMARY])
    assert await session.get_items() == TALK


class Transforming(StoredSession):
    async def add_items(self, items: Any, **options: Any) -> None:
        await super().add_items([{**item, "seen": True} for item in items], **options)


class Hiding(StoredSession):
    async def get_items(self, limit: int | None = None) -> list[Any]:
        return (await super().get_items(limit))[1:]


class Forwarding(StoredSession):
    @faithful
    async def add_items(self, items: Any, **options: Any) -> None:
        await super().add_items(items, **options)


async def test_nothing_goes_past_the_methods_of_a_subclass() -> None:
    for kind, replaces in ((Transforming, False), (Hiding, True)):
        session = kind("s", MemoryStore())
        await session.add_items(TALK)
        assert await session._get_compaction_snapshot(5) is None
        assert await session._atomic_replace_items([SUMMARY]) is replaces
    forwarding = Forwarding("s", MemoryStore())
    await forwarding.add_items(TALK)
    assert await automatically(forwarding)
    assert await manually(forwarding)


async def test_many_writes_are_not_remembered_for_ever() -> None:
    session = StoredSession("s", MemoryStore())
    await session.get_items()
    for number in range(1200):
        await session.add_items([user(str(number))])
    assert await session._atomic_replace_items([SUMMARY])
    left = await session.get_items()
    assert left[0] == SUMMARY
    assert left[1:] == [user(str(number)) for number in range(len(left) - 1)]
    assert 0 < len(left) < 300
