"""Differences: where two branches part, and which of their items stand for each other."""

from typing import TypeAlias

import pytest

from tests.sample_items import answer, call, output, user
from turnlog import Log, StoredSession
from turnlog.conversation.branches import diff
from turnlog.conversation.branches.diff import Difference, difference
from turnlog.items.json import Item
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

#: What a row is compared with: the items on both sides, and whether they are equal.
Row: TypeAlias = tuple[Item | None, Item | None, bool]


async def compared(ours: list[Item], theirs: list[Item]) -> Difference:
    store = MemoryStore()
    for name, items in (("main", ours), ("try", theirs)):
        await StoredSession("s", store, branch=name).add_items(items)
    return await difference(store, Log("s"), Log("s", "try"))


def rows_of(found: Difference) -> list[Row]:
    return [
        (row.ours and row.ours.item, row.theirs and row.theirs.item, row.same) for row in found.rows
    ]


async def test_equal_branches_have_no_rows() -> None:
    talk = [user("one"), answer("1"), user("two")]
    found = await compared(talk, talk)
    assert (found.common_turns, found.rows) == (2, [])
    assert found.parted_at > 0


async def test_branches_with_nothing_in_common() -> None:
    found = await compared([user("one")], [])
    assert (found.parted_at, found.common_turns) == (0, 0)
    assert rows_of(found) == [(user("one"), None, False)]


@pytest.mark.parametrize(
    ("behind", "turns"), [([], 1), ([user("two")], 1), ([answer("more")], 0)], ids=repr
)
async def test_a_turn_that_one_branch_continues_is_not_common(
    behind: list[Item], turns: int
) -> None:
    talk = [user("one"), answer("1")]
    assert (await compared(talk, [*talk, *behind])).common_turns == turns
    assert (await compared([*talk, *behind], talk)).common_turns == turns


async def test_rows_tell_the_positions_on_each_side() -> None:
    store = MemoryStore()
    session = StoredSession("s", store)
    await session.add_items([user("one"), answer("1"), user("two")])
    ours = (await store.read(Log("s"))).positions
    await session.edit(ours[2], user("rather this"), "try")
    theirs = (await store.read(Log("s", "try"))).positions
    found = await difference(store, Log("s"), Log("s", "try"))
    assert found.parted_at == ours[1]
    [row] = found.rows
    assert row.ours is not None
    assert row.theirs is not None
    assert (row.ours.position, row.theirs.position) == (ours[2], theirs[2])


async def test_calls_stand_for_calls_of_the_same_tool() -> None:
    """Whatever their ids and arguments are; a call of another tool stands alone."""
    ours = [user("go"), call("look", 1), output("a", 1), call("find", 2), output("b", 2)]
    theirs = [user("go on"), call("find", 9), output("c", 9)]
    assert rows_of(await compared(ours, theirs)) == [
        (ours[0], theirs[0], False),
        (ours[1], None, False),
        (ours[2], None, False),
        (ours[3], theirs[1], False),
        (ours[4], theirs[2], False),
    ]


async def test_outputs_stand_for_outputs_of_the_same_tool() -> None:
    calls = [user("go"), call("look", 1), call("find", 2)]
    ours, theirs = [*calls, output("a", 1), output("b", 2)], [*calls, output("c", 2)]
    assert rows_of(await compared(ours, theirs)) == [
        (output("a", 1), None, False),
        (output("b", 2), output("c", 2), False),
    ]


async def test_turns_are_compared_in_order() -> None:
    """An item of one turn never stands for one of another turn."""
    ours = [user("x"), answer("1"), user("y")]
    theirs = [user("z"), user("y"), answer("1")]
    assert rows_of(await compared(ours, theirs)) == [
        (user("x"), user("z"), False),
        (answer("1"), None, False),
        (user("y"), user("y"), True),
        (None, answer("1"), False),
    ]


async def test_an_equal_item_in_another_form_is_the_same() -> None:
    """Fields in another order make other bytes, and the same item."""
    store = MemoryStore()
    await store.append(Log("s"), [b'{"role":"user","content":"Hi"}'])
    await store.append(Log("s", "try"), [b'{"content":"Hi","role":"user"}'])
    [row] = (await difference(store, Log("s"), Log("s", "try"))).rows
    assert row.same


async def test_records_that_can_not_be_decoded_are_left_out() -> None:
    store = MemoryStore()
    await store.append(Log("s"), [b"no JSON", b'{"n":1}'])
    await store.append(Log("s", "try"), [b"no JSON", b"nor this", b'{"n":1}'])
    found = await difference(store, Log("s"), Log("s", "try"))
    assert found.parted_at == (await store.read(Log("s"))).positions[0]
    assert rows_of(found) == [({"n": 1}, {"n": 1}, True)]


async def test_huge_turns_are_laid_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """To align them would take quadratic time."""
    monkeypatch.setattr(diff, "_MOST_PAIRS", 5)
    found = await compared([answer("1"), call()], [call(), answer("2"), call()])
    assert rows_of(found) == [
        (answer("1"), call(), False),
        (call(), answer("2"), False),
        (None, call(), False),
    ]
