"""Commits to hundreds of logs, and conversations with as many branches."""

import pytest

from turnlog import Conflict, Log, RecordChanged, Store, StoredSession
from turnlog.changes import Annotate, Append, Change, Check, Forget, Key, Remove, Replace
from turnlog.testing.looking import seen

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.stores(
        "memory", "sqlite", "sqlite+sqlalchemy", "postgres", "mariadb", "redis", "dapr"
    ),
]

NAMES = [f"log {number}" for number in range(300)]
KEY = Key("many", b"digest")


async def _added(store: Store) -> list[int]:
    """Where the logs end after a commit that adds to each."""
    changes = [Append(name, [name.encode(), b"last"]) for name in NAMES]
    done = await store.commit("s", changes, key=KEY)
    assert await store.commit("s", changes, key=KEY) == done._replace(replayed=True)
    return list(done.positions)


def _mixed(number: int, name: str, end: int) -> Change:
    kinds: list[Change] = [
        Append(name, [b"new"], end, cut=end - 1),
        Remove(name, expect=end),
        Forget(name, end),
        Check(name, end),
    ]
    return kinds[number % len(kinds)]


async def test_all_changes_are_made(any_store: Store) -> None:
    ends = await _added(any_store)
    pairs = zip(NAMES, ends, strict=True)
    changes = [_mixed(number, *pair) for number, pair in enumerate(pairs)]
    notes = [Annotate(name, name.encode(), b"") for name in NAMES[::4]]
    done = await any_store.commit("s", [*changes, Append("main", [b"{}"]), *notes])
    found = {head.log.name: (head, records) for head, records in await seen(any_store, "s")}
    assert set(found) == {"main", *NAMES} - set(NAMES[2::4])
    for number, (name, end) in enumerate(zip(NAMES, done.positions[: len(NAMES)], strict=True)):
        if number % 4 == 2:
            assert end == 0
            continue
        head, records = found[name]
        held = [[name.encode(), b"new"], [], [], [name.encode(), b"last"]][number % 4]
        assert list(records.payloads) == held
        assert (head.last, head.length) == (end, len(held))
        assert head.note == (name.encode() if number % 4 == 0 else b"")


@pytest.mark.parametrize("number", [0, 23, 24, 299])
async def test_one_condition_of_many_fails(any_store: Store, number: int) -> None:
    ends = await _added(any_store)
    before = await seen(any_store, "s")
    wrong = [end + (place >= number) for place, end in enumerate(ends)]
    checks = [Check(name, end) for name, end in zip(NAMES, wrong, strict=True)]
    for more in ([], [Append("main", [b"{}"])]):
        with pytest.raises(Conflict) as caught:
            await any_store.commit("s", [*checks, *more])
        conflict = caught.value
        assert (conflict.log, conflict.expected) == (Log("s", NAMES[number]), wrong[number])
        assert conflict.actual == ends[number]
    assert await seen(any_store, "s") == before


async def test_records_of_many_are_replaced(any_store: Store) -> None:
    ends = await _added(any_store)
    pairs = list(zip(NAMES, ends, strict=True))
    changes = [Replace(name, [end], [b"new"], [b"last"], end) for name, end in pairs]
    wrong = [*changes[:-1], changes[-1]._replace(old=[b"other"])]
    before = await seen(any_store, "s")
    with pytest.raises(RecordChanged):
        await any_store.commit("s", [*wrong, Append("main", [b"{}"])])
    assert await seen(any_store, "s") == before
    assert list((await any_store.commit("s", changes)).positions) == ends
    for name in NAMES[::29]:
        assert list((await any_store.read(Log("s", name))).payloads) == [name.encode(), b"new"]
    assert await any_store.logs("s") == [head for head, _ in before]


async def test_conditions_of_many_hold(any_store: Store) -> None:
    ends = await _added(any_store)
    checks = [Check(name, end) for name, end in zip(NAMES, ends, strict=True)]
    assert list((await any_store.commit("s", checks)).positions) == ends
    missing = [Check(name, 0) for name in NAMES]
    assert set((await any_store.commit("missing", missing)).positions) == {0}
    assert await any_store.logs("missing") == []


async def test_a_conversation_with_many_branches_is_cleared_within_a_turn(
    any_store: Store,
) -> None:
    session = StoredSession("s", any_store)
    await _added(any_store)
    async with session.turn("clear it") as turn:
        await session.clear_session()
        await turn.add([{"role": "assistant", "content": "done"}])
    assert await session.get_items() == [{"role": "assistant", "content": "done"}]
    assert not {head.log.name for head in await any_store.logs("s")} & set(NAMES)
