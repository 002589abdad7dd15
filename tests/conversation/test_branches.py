"""Forks: a branch that begins as a copy of another one."""

import pytest

from tests.conversation.turns.leases import turn_taken
from turnlog import Conflict, Log, StoredSession
from turnlog.conversation.branches import fork
from turnlog.conversation.turns.endings import Endings, mark_up_to
from turnlog.conversation.turns.lease import Lease
from turnlog.stores.memory import MemoryStore
from turnlog.testing import Failing, Failure, first_calls_of

pytestmark = pytest.mark.anyio


@pytest.fixture
async def session() -> StoredSession:
    session = StoredSession("a", MemoryStore())
    await session.add_items([{"role": "user", "content": str(n)} for n in range(4)])
    return session


async def positions(session: StoredSession) -> list[int]:
    records = await session.store.read(Log(session.session_id, session.branch))
    return list(records.positions)


async def test_a_fork_holds_the_same_items_and_goes_its_own_way(session: StoredSession) -> None:
    forked = await fork(session, "try")
    assert (forked.session_id, forked.branch, session.branch) == ("a", "try", "main")
    assert await forked.get_items() == await session.get_items()
    await forked.pop_item()
    assert len(await forked.get_items()) == 3
    assert len(await session.get_items()) == 4


async def test_a_fork_ends_with_the_position_that_was_asked_for(session: StoredSession) -> None:
    second = (await positions(session))[1]
    assert len(await (await fork(session, at=second)).get_items()) == 2
    assert await (await fork(session, at=0)).get_items() == []


async def test_a_fork_tells_where_it_comes_from(session: StoredSession) -> None:
    second = (await positions(session))[1]
    await fork(session, "try", at=second)
    await fork(session, "empty", at=0)
    notes = {head.log.name: head.note for head in await session.store.logs("a")}
    assert notes["try"] == b'{"forked_from":{"branch":"main","position":%d}}' % second
    assert notes["empty"] == b'{"forked_from":{"branch":"main","position":0}}'


async def test_names_that_are_made_up_differ(session: StoredSession) -> None:
    assert (await fork(session)).branch != (await fork(session)).branch


async def test_a_name_that_holds_records_is_refused(session: StoredSession) -> None:
    with pytest.raises(Conflict):
        await fork(session, "main")
    assert len(await session.get_items()) == 4


@pytest.mark.parametrize("name", ["", ":lease"])
async def test_a_name_that_no_branch_can_have_is_refused(session: StoredSession, name: str) -> None:
    with pytest.raises(ValueError, match="a branch can't be named"):
        await fork(session, name)


@pytest.mark.parametrize(("over", "at", "kept"), [(2, None, 2), (4, None, 4), (4, 3, 3), (0, 3, 0)])
async def test_turns_that_are_over_are_over_in_the_fork_and_no_others(
    session: StoredSession, over: int, at: int | None, kept: int
) -> None:
    stored = [0, *await positions(session)]
    if over:
        await session.store.commit("a", [mark_up_to(Log("a"), stored[over])])
    forked = await fork(session, at=None if at is None else stored[at])
    ended = await Endings(forked.store, Log("a", forked.branch)).newest()
    assert ended == [0, *await positions(forked)][kept]


@pytest.mark.parametrize("outputs", [0, 30])
async def test_the_branch_policy_leaves_out_the_turn_under_way(outputs: int) -> None:
    session = StoredSession("a", MemoryStore())
    settled = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    await session.add_items([*settled, {"role": "user", "content": "Go"}, *([call] * outputs)])
    await Lease(session.store, Log("a")).take()
    async with turn_taken(session, "branch") as other:
        assert other.branch.startswith("run-")
        assert await other.get_items() == settled


async def test_a_fork_keeps_the_times_of_its_records(session: StoredSession) -> None:
    source = await session.store.read(Log("a"))
    forked = await fork(session)
    copied = await session.store.read(Log("a", forked.branch))
    assert list(copied.times) == list(source.times)


@pytest.mark.parametrize("happened", [False, True])
async def test_a_fork_is_there_whole_or_not_at_all(happened: bool) -> None:
    store = Failing(MemoryStore())
    session = StoredSession("a", store)
    await session.add_items([{"n": 1}, {"n": 2}])
    store.plan = first_calls_of("commit", Failure(OSError("cut off"), happened))
    with pytest.raises(OSError, match="cut off"):
        await fork(session, "new")
    heads = {head.log.name: head for head in await store.logs("a")}
    assert ("new" in heads) is happened
    if happened:
        assert heads["new"].length == 2
        assert b"forked_from" in heads["new"].note
