"""Atomicity: a commit to several logs is made whole or not at all."""

from __future__ import annotations

import asyncio

import pytest

from turnlog.changes import Annotate, Append, Change, Check, Forget, Key, Remove, Replace
from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import all_sessions, fill, head_of, payloads_of, positions_of, seen

__all__ = ["Atomicity"]

ROUNDS = 24


class Atomicity:
    """All changes of a commit are made, or none of them."""

    async def test_every_change_is_made(self, store: Store, twin: Store) -> None:
        await fill(store, "s", "other")
        kept = await store.append(Log("s", "kept"), [b"old"])
        others = await seen(store, "other")
        done = await store.commit(
            "s",
            [
                Append("main", [b"1", b"2"]),
                Annotate("main", b"title"),
                Remove(":usage"),
                Forget("side"),
                Append("new", [b"3"]),
                Annotate("noted", b"note"),
                Check("missing", 0),
                Replace("kept", [kept], [b"replaced"], [b"old"]),
            ],
        )
        assert await payloads_of(twin, Log("s")) == [b"s", b"main", b"1", b"2"]
        assert await payloads_of(twin, Log("s", "kept")) == [b"replaced"]
        assert await payloads_of(twin, Log("s", "new")) == [b"3"]
        heads = await twin.logs("s")
        notes = {head.log.name: head.note for head in heads}
        lengths = {head.log.name: head.length for head in heads}
        noted = {"main": b"title", ":usage": b":usage", "new": b"", "noted": b"note"}
        assert notes == {**noted, "kept": b""}
        assert lengths == {"main": 4, ":usage": 0, "new": 1, "noted": 0, "kept": 1}
        ends = {head.log.name: head.last for head in heads}
        main, new = ends["main"], ends["new"]
        assert (done.positions, done.replayed) == ((main, main, 0, 0, new, 0, 0, kept), False)
        assert await seen(store, "other") == others

    async def test_positions_are_those_of_the_logs(self, store: Store, log: Log) -> None:
        side = Log(log.session, "side")
        for names in ([log.name, "side"], ["side", log.name]):
            batches = [Append(name, [name.encode()] * 3) for name in names]
            done = await store.commit(log.session, [*batches, Check("missing", 0)])
            ends = [(await positions_of(store, Log(log.session, name)))[-1] for name in names]
            assert done.positions == (*ends, 0)
            assert all(type(position) is int for position in done.positions)
        assert len(await store.read(log)) == len(await store.read(side)) == 6

    async def test_a_conflict_at_any_place_writes_nothing(self, store: Store) -> None:
        kept = await store.append(Log("s", "kept"), [b"old"])
        await fill(store, "s", "later")
        before = await seen(store, "s")
        changes: list[Change] = [
            Append("main", [b"1"]),
            Replace("kept", [kept], [b"replaced"], [b"old"]),
            Annotate("main", b"changed"),
            Remove(":usage"),
            Forget("side"),
            Append("new", [b"2"], cut=0),
        ]
        for index in range(len(changes) + 1):
            for wrong in (Check("elsewhere", 7), Replace("elsewhere", [7], [b"1"], [b"2"])):
                failing = [*changes[:index], wrong, *changes[index:]]
                for key in (None, Key("k")):
                    with pytest.raises(Conflict):
                        await store.commit("s", failing, key=key)
        assert await seen(store, "s") == before
        assert await all_sessions(store) == ["later", "s"]

    async def test_a_wrong_value_at_any_place_writes_nothing(self, store: Store) -> None:
        await fill(store, "s", "later")
        before = await seen(store, "s")
        changes: list[Change] = [Append("main", [b"1"]), Remove(":usage"), Forget("side")]
        for index in range(len(changes) + 1):
            wrong = Append("new", [b"2", "text"])  # type: ignore[list-item]  # on purpose
            with pytest.raises(TypeError):
                await store.commit("s", [*changes[:index], wrong, *changes[index:]])
        assert await seen(store, "s") == before
        assert await all_sessions(store) == ["later", "s"]

    async def test_a_commit_of_nothing(self, store: Store) -> None:
        assert (await store.commit("s", [])).positions == ()
        assert await store.sessions() == []
        await store.append(Log("s"), [b"1"])
        before = await seen(store, "s")
        assert (await store.commit("s", [])).positions == ()
        assert await seen(store, "s") == before

    async def test_many_logs_and_records_at_once(self, store: Store) -> None:
        names = [f"log {n:02}" for n in range(40)]
        batch = [b"%d" % n for n in range(50)]
        done = await store.commit("s", [Append(name, batch) for name in names])
        heads = (await store.logs("s"))[:-1]
        assert [head.log.name for head in heads] == names
        assert tuple(head.last for head in heads) == done.positions
        assert {head.length for head in heads} == {50}
        for name in names[::13]:
            assert await payloads_of(store, Log("s", name)) == batch

    async def test_commits_are_ordered_alike_in_all_their_logs(
        self, store: Store, twin: Store
    ) -> None:
        """They name the logs in different orders, which is how writers block each other."""
        names = ("main", "side", ":usage")

        async def write(handle: Store, writer: int) -> None:
            for n in range(ROUNDS // 4):
                turned = names[(writer + n) % 3 :] + names[: (writer + n) % 3]
                payload = b"%d.%d" % (writer, n)
                await handle.commit("s", [Append(name, [payload]) for name in turned])

        await asyncio.gather(*(write([store, twin][n % 2], n) for n in range(8)))
        found = [await payloads_of(store, Log("s", name)) for name in names]
        assert found[0] == found[1] == found[2]
        assert len(set(found[0])) == 8 * (ROUNDS // 4)

    async def test_counters_in_two_logs_stay_equal(self, store: Store, twin: Store) -> None:
        async def count(handle: Store) -> None:
            missing = 5
            while missing:
                missing -= await _increment(handle)

        await asyncio.gather(*(count(handle) for handle in [store, twin] * 3))
        for name in ("main", ":usage"):
            payloads = await payloads_of(store, Log("s", name))
            assert payloads == [b"%d" % n for n in range(1, 31)]
        assert (await head_of(store, Log("s"))).length == 30


async def _increment(store: Store) -> bool:
    """Add one to both counters; False if another was faster."""
    changes: list[Change] = []
    for name in ("main", ":usage"):
        newest = await store.read(Log("s", name), limit=1)
        last, value = (newest.positions[0], int(newest.payloads[0])) if newest else (0, 0)
        changes.append(Append(name, [b"%d" % (value + 1)], expect=last))
    try:
        await store.commit("s", changes)
    except Conflict:
        return False
    return True
