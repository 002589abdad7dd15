"""Rewinding: all or nothing, also when the store fails or another session writes."""

from collections.abc import Sequence

import pytest

from tests.sample_items import answer, user
from turnlog import BranchNameUsed, Conflict, Layer, Log, StoredSession
from turnlog.changes import Change, Committed, Key
from turnlog.stores.memory import MemoryStore
from turnlog.testing import Failing, Failure, first_calls_of

pytestmark = pytest.mark.anyio

TALK = [user("one"), answer("1"), user("two"), answer("2")]


class Writing(Layer):
    """Another session adds an item just before the first commit."""

    other: StoredSession | None = None

    async def commit(
        self, session: str, changes: Sequence[Change], *, key: Key | None = None
    ) -> Committed:
        other, self.other = self.other, None
        if other is not None:
            await other.add_items([user("three")])
        return await super().commit(session, changes, key=key)


async def failing_session() -> tuple[StoredSession, Failing]:
    store = Failing(MemoryStore())
    session = StoredSession("s", store)
    await session.add_items(TALK)
    return session, store


@pytest.mark.parametrize("keep_as", [None, "kept"])
@pytest.mark.parametrize("happened", [False, True])
async def test_a_failed_rewind_is_made_whole_or_not_at_all(
    happened: bool, keep_as: str | None
) -> None:
    session, store = await failing_session()
    cut = Failure(OSError("cut off"), happened)
    store.plan = first_calls_of("commit", cut, cut)  # it is tried once more
    with pytest.raises(OSError, match="cut off"):
        await session.rewind(turns=1, keep_as=keep_as)
    assert await session.get_items() == (TALK[:2] if happened else TALK)
    kept = StoredSession("s", store, branch="kept")
    assert await kept.get_items() == (TALK if happened and keep_as else [])


async def test_a_failed_read_changes_nothing() -> None:
    session, store = await failing_session()
    for reads in range(3):
        store.plan = first_calls_of("read", *[None] * reads, Failure(OSError("cut off")))
        with pytest.raises(OSError, match="cut off"):
            await session.rewind(turn=2)
        assert await StoredSession("s", store.inner).get_items() == TALK


@pytest.mark.parametrize("keep_as", [None, "kept"])
async def test_what_another_session_adds_meanwhile_is_never_dropped(keep_as: str | None) -> None:
    store = MemoryStore()
    layer = Writing(store)
    session, other = StoredSession("s", layer), StoredSession("s", store)
    await other.add_items(TALK)
    layer.other = other
    with pytest.raises(Conflict) as caught:
        await session.rewind(turns=1, keep_as=keep_as)
    assert caught.value.log == Log("s")
    assert await other.get_items() == [*TALK, user("three")]
    assert [branch.name for branch in await other.branches()] == ["main"]


async def test_nothing_is_committed_where_nothing_goes() -> None:
    session, store = await failing_session()
    store.plan = first_calls_of("commit", Failure(OSError("no commit is expected")))
    last = (await store.read(Log("s"))).positions[-1]
    assert await session.rewind(position=last) == 0


async def test_a_name_in_use_keeps_all() -> None:
    session, _ = await failing_session()
    await session.fork("kept")
    with pytest.raises(BranchNameUsed):
        await session.rewind(turn=1, keep_as="kept")
    assert await session.get_items() == TALK


async def test_the_fork_that_keeps_all_is_made_although_nothing_goes() -> None:
    session, store = await failing_session()
    last = (await store.read(Log("s"))).positions[-1]
    assert await session.rewind(position=last, keep_as="kept") == 0
    assert await StoredSession("s", store, branch="kept").get_items() == TALK
