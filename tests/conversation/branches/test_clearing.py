"""Clearing: what goes and what stays, also when the store fails or another session writes."""

from collections.abc import Awaitable, Callable, Sequence

import pytest

from tests.sample_items import answer, user
from turnlog import BranchDeleted, Layer, LeaseLost, Log, StoredSession
from turnlog.changes import Change, Committed, Key
from turnlog.stores.memory import MemoryStore
from turnlog.testing import Failing, Failure, first_calls_of

pytestmark = pytest.mark.anyio

TALK = [user("one"), answer("1")]

MARKS = (":deleted@first", ":deleted@second")


class Before(Layer):
    """Calls `step` just before the first commit or deletion."""

    step: Callable[[], Awaitable[object]] | None = None

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        await self._step()
        return await super().commit(session, changes, key=key)

    async def delete(self, session: str, *, expect: int | None = None) -> None:
        await self._step()
        await super().delete(session, expect=expect)

    async def _step(self) -> None:
        step, self.step = self.step, None
        if step is not None:
            await step()


async def logs_of(session: StoredSession) -> dict[str, int]:
    return {head.log.name: head.length for head in await session.store.logs(session.session_id)}


@pytest.mark.parametrize("happened", [False, True])
async def test_a_failed_clear_is_made_whole_or_not_at_all(happened: bool) -> None:
    store = Failing(MemoryStore())
    session = StoredSession("s", store)
    await session.add_items(TALK)
    await session.fork("try")
    await session.describe(title="T", owner="o")
    before = await logs_of(session)
    store.plan = first_calls_of("commit", Failure(OSError("cut off"), happened))
    with pytest.raises(OSError, match="cut off"):
        await session.clear_session()
    assert (await logs_of(session) == before) is not happened
    about = await session.about()
    assert (about.title, about.owner) == (None if happened else "T", "o")
    forked = StoredSession("s", store, branch="try")
    assert await forked.get_items() == ([] if happened else TALK)


@pytest.mark.parametrize("happened", [False, True])
async def test_a_failed_deletion_of_a_plain_conversation(happened: bool) -> None:
    store = Failing(MemoryStore())
    session = StoredSession("s", store)
    await session.add_items(TALK)
    store.plan = first_calls_of("delete", Failure(OSError("cut off"), happened))
    with pytest.raises(OSError, match="cut off"):
        await session.clear_session()
    assert await session.get_items() == ([] if happened else TALK)


async def test_a_branch_that_is_forked_meanwhile_is_deleted_too() -> None:
    store = MemoryStore()
    layer = Before(store)
    other = StoredSession("s", store)
    await other.add_items(TALK)
    await other.fork("first")
    layer.step = lambda: other.fork("second")
    await StoredSession("s", layer).clear_session()
    assert await logs_of(other) == {"main": 0, ":branches": 2, **dict.fromkeys(MARKS, 1)}
    with pytest.raises(BranchDeleted):
        await StoredSession("s", store, branch="second").add_items(TALK)


async def test_an_owner_who_is_named_meanwhile_stays() -> None:
    store = MemoryStore()
    layer = Before(store)
    other = StoredSession("s", store)
    await other.add_items(TALK)
    await other.describe(title="T", tags=["a"])
    layer.step = lambda: other.describe(owner="o")
    await StoredSession("s", layer).clear_session()
    about = await other.about()
    assert (about.title, about.owner, about.tags) == (None, "o", ("a",))
    assert await other.get_items() == []


async def test_a_plain_conversation_that_grows_meanwhile_is_looked_at_again() -> None:
    """It is no longer one without branches, so the name of its branch stays used."""
    store = MemoryStore()
    layer = Before(store)
    other = StoredSession("s", store)
    await other.add_items(TALK)

    async def grow() -> None:
        await other.fork("first")
        await other.add_items([user("two")])

    layer.step = grow
    await StoredSession("s", layer).clear_session()
    assert await logs_of(other) == {"main": 0, ":branches": 1, ":deleted@first": 1}


async def test_clearing_nothing_commits_nothing() -> None:
    store = Failing(MemoryStore())
    session = StoredSession("s", store)
    store.plan = first_calls_of("commit", Failure(OSError("no commit is expected")))
    await session.clear_session()
    await StoredSession("s", store, branch="try").clear_session()
    assert await logs_of(session) == {}


async def test_what_lies_beside_a_cleared_branch_goes_and_the_branch_stays() -> None:
    session = StoredSession("s", MemoryStore())
    await session.add_items(TALK)
    forked = await session.fork("try")
    for purpose in ("usage", "turns", "ended"):
        await session.store.append(Log("s", "try").beside(purpose), [b"{}"])
        await session.store.append(Log("s").beside(purpose), [b"{}"])
    await forked.clear_session()
    assert await logs_of(session) == {
        "main": 2,
        "try": 0,
        ":branches": 1,
        **dict.fromkeys((":usage", ":turns", ":ended"), 1),
    }


async def test_a_turn_that_lost_its_lease_clears_nothing() -> None:
    store = MemoryStore()
    session = StoredSession("s", store)
    async with session.turn("one"):
        await store.delete("s")
        await store.append(Log("s"), [b'{"n":1}'])  # not through a session: it would share the turn
        with pytest.raises(LeaseLost):
            await session.clear_session()
    assert await session.get_items() == [{"n": 1}]
