"""Combinations: a commit with changes that contradict each other is refused."""

from __future__ import annotations

from itertools import product
from typing import cast

import pytest

from turnlog.changes import Annotate, Append, Change, Check, Forget, Key, Remove, Replace
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import fill, head_of, payloads_of, seen

__all__ = ["Combinations"]

CHANGES: tuple[Change, ...] = (
    Append("side", [b"1"]),
    Append("side", [], cut=0),
    Remove("side"),
    Annotate("side", b"new"),
    Forget("side"),
    Check("side", 1),
    Replace("side", [], [], []),
)

#: What a note may be set beside.
BESIDE_A_NOTE = (Append, Remove, Check, Replace)

#: Changes with values that no store takes, and the error.
WRONG: tuple[tuple[object, type[Exception]], ...] = (
    (Append("side", [b"1"], times=[]), ValueError),
    (Append("side", [b"1"], times=[None, None]), ValueError),
    (Append("side", [], times=[1.0]), ValueError),
    (Append("side", [b"1"], times=[-1.0]), ValueError),
    (Append("side", [b"1"], times=[float("nan")]), ValueError),
    (Append("side", [b"1"], times=[float("inf")]), ValueError),
    (Append("side", [b"1"], times=[1e12]), ValueError),
    (Append("side\ud800", [b"1"]), ValueError),
    (Annotate("side", cast("bytes", "text")), TypeError),
    (Remove(cast("str", None)), TypeError),
    (Append("side", cast("list[bytes]", "text")), TypeError),
    (Replace("side", [1], [], [b"1"]), ValueError),
    (Replace("side", [2, 1], [b"1", b"1"], [b"1", b"1"]), ValueError),
    (Replace("side", [1], [cast("bytes", "text")], [b"1"]), TypeError),
    (("side", [b"1"]), TypeError),
    (Log("s", "side"), TypeError),
    (None, TypeError),
)


def _contradict(one: Change, other: Change) -> bool:
    if isinstance(one, Annotate) == isinstance(other, Annotate):
        return True
    beside = other if isinstance(one, Annotate) else one
    return not isinstance(beside, BESIDE_A_NOTE)


class Combinations:
    """A commit that is refused writes nothing, and its key stays unknown."""

    async def test_two_changes_of_one_log(self, store: Store) -> None:
        await fill(store, "s")
        before = await seen(store, "s")
        for one, other in product(CHANGES, repeat=2):
            if _contradict(one, other):
                for changes in ([one, other], [one, Append("main", [b"1"]), other]):
                    with pytest.raises(ValueError, match="side"):
                        await store.commit("s", changes, key=Key("k"))
        assert await seen(store, "s") == before
        assert not (await store.commit("s", [Append("main", [b"1"])], key=Key("k"))).replayed

    @pytest.mark.parametrize(
        "change", [c for c in CHANGES if isinstance(c, BESIDE_A_NOTE)], ids=repr
    )
    async def test_a_note_beside_another_change(self, store: Store, change: Change) -> None:
        note = Annotate("side", b"new")
        for session, changes in (("a", [note, change]), ("b", [change, note])):
            await fill(store, session)
            last = (await head_of(store, Log(session, "side"))).last
            if isinstance(change, Check):
                changes[changes.index(change)] = Check("side", last)
            done = await store.commit(session, changes)
            head = await head_of(store, Log(session, "side"))
            assert head.note == b"new"
            assert done.positions == (head.last, head.last)

    async def test_wrong_values(self, store: Store) -> None:
        await fill(store, "s")
        before = await seen(store, "s")
        for wrong, error in WRONG:
            change = cast("Change", wrong)
            for changes in ([change], [Append("main", [b"1"]), change]):
                with pytest.raises(error):
                    await store.commit("s", changes, key=Key("k"))
                with pytest.raises(error):
                    await store.commit("new", changes)
        assert await seen(store, "s") == before
        assert await store.logs("new") == []
        assert not (await store.commit("s", [Append("main", [b"1"])], key=Key("k"))).replayed

    async def test_the_longest_digest(self, store: Store) -> None:
        with pytest.raises(ValueError, match="digest"):
            await store.append(Log("s"), [b"1"], key=Key("k", bytes(65)))
        for number in range(2):
            await store.append(Log("s"), [b"%d" % number], key=Key("k", bytes(range(64))))
        assert await payloads_of(store, Log("s")) == [b"0"]
