"""Forks: a branch that begins as a copy of another one."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conversation.turns.leases import turn_taken
from turnlog import (
    BranchNameUsed,
    Layer,
    Log,
    Position,
    SQLiteSession,
    StoreClosed,
    StoredSession,
)
from turnlog.changes import Change, Committed, Key
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
    forked = await session.fork("try")
    assert (forked.session_id, forked.branch, session.branch) == ("a", "try", "main")
    assert await forked.get_items() == await session.get_items()
    await forked.pop_item()
    assert len(await forked.get_items()) == 3
    assert len(await session.get_items()) == 4


async def test_a_fork_ends_with_the_position_that_was_asked_for(session: StoredSession) -> None:
    second = (await positions(session))[1]
    assert len(await (await session.fork(at=Position(second))).get_items()) == 2
    assert await (await session.fork(at=Position(0))).get_items() == []


async def test_a_fork_tells_where_it_comes_from(session: StoredSession) -> None:
    second = (await positions(session))[1]
    await session.fork("try", at=Position(second))
    await session.fork("empty", at=1)
    origins = {each.name: (each.parent, each.parted_at) for each in await session.branches()}
    assert origins == {"main": (None, 0), "try": ("main", second), "empty": ("main", 0)}


async def test_names_that_are_made_up_differ(session: StoredSession) -> None:
    assert (await session.fork()).branch != (await session.fork()).branch


@pytest.mark.parametrize(
    ("name", "problem"),
    [("", "cannot be empty"), (" ", "cannot be empty"), (":lease", "a branch can't be named")],
)
async def test_a_name_that_no_branch_can_have_is_refused(
    session: StoredSession, name: str, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        await session.fork(name)


async def test_a_name_that_is_no_text_is_refused(session: StoredSession) -> None:
    with pytest.raises(TypeError, match="named by a str, not an int"):
        await session.fork(7)  # type: ignore[arg-type]


@pytest.mark.parametrize(("over", "at", "kept"), [(2, None, 2), (4, None, 4), (4, 3, 3), (0, 3, 0)])
async def test_turns_that_are_over_are_over_in_the_fork_and_no_others(
    session: StoredSession, over: int, at: int | None, kept: int
) -> None:
    stored = [0, *await positions(session)]
    if over:
        await session.store.commit("a", [mark_up_to(Log("a"), stored[over])])
    forked = await session.fork(at=None if at is None else Position(stored[at]))
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
    forked = await session.fork()
    copied = await session.store.read(Log("a", forked.branch))
    assert list(copied.times) == list(source.times)


@pytest.mark.parametrize("happened", [False, True])
async def test_a_fork_is_there_whole_or_not_at_all(happened: bool) -> None:
    store = Failing(MemoryStore())
    session = StoredSession("a", store)
    await session.add_items([{"n": 1}, {"n": 2}])
    cut = Failure(OSError("cut off"), happened)
    store.plan = first_calls_of("commit", cut, cut)  # it is tried once more
    with pytest.raises(OSError, match="cut off"):
        await session.fork("new")
    heads = {head.log.name: head for head in await store.logs("a")}
    assert ("new" in heads) is happened
    if happened:
        assert heads["new"].length == 2
        assert heads[":branches"].length == 1


async def test_the_branch_policy_enters_its_branch_in_the_registry() -> None:
    session = StoredSession("a", MemoryStore())
    await session.add_items([{"role": "user", "content": "Hi"}, {"role": "assistant"}])
    [_, last] = await positions(session)
    await Lease(session.store, Log("a")).take()
    async with turn_taken(session, "branch") as other:
        [_, made] = await session.branches()
        assert (made.name, made.parent, made.parted_at) == (other.branch, "main", last)


async def test_a_fork_decodes_nothing(session: StoredSession) -> None:
    await session.store.append(Log("a"), [b"not JSON", b"\xff"])
    forked = await session.fork("new")
    copied = await session.store.read(Log("a", forked.branch))
    assert list(copied.payloads)[-2:] == [b"not JSON", b"\xff"]


async def test_forks_at_once_all_get_their_names(session: StoredSession) -> None:
    """Each finds that the registry has grown, and looks again."""
    await asyncio.gather(*(session.fork(f"n{n}") for n in range(8)))
    assert {branch.name for branch in await session.branches()} == {
        "main",
        *(f"n{n}" for n in range(8)),
    }


async def test_a_branch_that_another_wrote_first_is_never_overwritten(
    session: StoredSession,
) -> None:
    """It has no entry in the registry, and was made after the names were read."""
    other = StoredSession("a", session.store, branch="new")

    class Late(Layer):
        async def commit(
            self, session: str, changes: Sequence[Change], *, key: Key | None = None
        ) -> Committed:
            await other.add_items([{"n": 0}])
            return await super().commit(session, changes, key=key)

    with pytest.raises(BranchNameUsed, match="already been used"):
        await StoredSession("a", Late(session.store)).fork("new")
    assert await other.get_items() == [{"n": 0}]


async def test_a_registry_that_can_not_be_read_in_part_is_read_in_part(
    session: StoredSession,
) -> None:
    await session.fork("one")
    await session.store.append(Log("a", ":branches"), [b"not JSON", b"{}"])
    await session.fork("two")
    assert [branch.name for branch in await session.branches()] == ["main", "one", "two"]


async def test_closing_a_fork_leaves_its_origin_open(tmp_path: Path) -> None:
    session = SQLiteSession("a", tmp_path / "a.db")
    await session.add_items([{"n": 1}])
    forked = await session.fork("new")
    forked.close()
    with pytest.raises(StoreClosed):
        await forked.get_items()
    assert await session.get_items() == [{"n": 1}]
    session.close()


async def test_a_branch_is_named_by_a_text(session: StoredSession) -> None:
    for call in (session.fork, session.switch_to, session.diff):
        with pytest.raises(TypeError, match="named by a str, not an int"):
            await call(5)  # type: ignore[arg-type]
