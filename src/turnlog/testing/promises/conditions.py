"""Conditions: a commit is made only if every condition held before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import permutations

import pytest

from turnlog.changes import Annotate, Append, Change, Check, Forget, Remove
from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import all_sessions, fill, head_of, payloads_of, seen
from turnlog.testing.promises.windows import BEYOND

__all__ = ["CONDITIONAL", "Conditions"]

#: Each kind of change, with its condition on where its log ends.
CONDITIONAL: Mapping[type[Change], Callable[[str, int], Change]] = {
    Append: lambda name, end: Append(name, [b"new"], expect=end),
    Remove: lambda name, end: Remove(name, expect=end),
    Annotate: lambda name, end: Annotate(name, b"new", expect=b"%d" % end),
    Forget: lambda name, end: Forget(name, expect=end),
    Check: Check,
}

kinds = pytest.mark.parametrize("kind", CONDITIONAL, ids=lambda kind: kind.__name__)


async def _ends(store: Store) -> list[int]:
    """Where the three logs of "s" end; the notes say so too."""
    await fill(store, "s", "later")
    ends = []
    for name in ("main", "side", ":usage"):
        last = (await head_of(store, Log("s", name))).last
        await store.annotate(Log("s", name), b"%d" % last)
        ends.append(last)
    await store.append(Log("later"), [b"1"])
    return ends


class Conditions:
    """All conditions are compared with the state before the commit, in the order of the changes."""

    @kinds
    async def test_a_condition_that_holds(self, store: Store, log: Log, kind: type[Change]) -> None:
        last = await store.append(log, [b"1", b"2"])
        await store.annotate(log, b"%d" % last)
        await store.commit("session", [CONDITIONAL[kind](log.name, last), Append("x", [b"1"])])
        assert await payloads_of(store, Log("session", "x")) == [b"1"]

    @kinds
    async def test_a_condition_that_fails(
        self, store: Store, twin: Store, kind: type[Change]
    ) -> None:
        ends = await _ends(store)
        before = await seen(store, "s")
        for wrong in (0, ends[1] - 1, ends[1] + 1, *BEYOND):
            failing = CONDITIONAL[kind]("side", wrong)
            for changes in ([failing, Append("x", [b"1"])], [Append("x", [b"1"]), failing]):
                with pytest.raises(Conflict) as caught:
                    await twin.commit("s", changes)
                assert caught.value.log == Log("s", "side")
                assert caught.value.expected == getattr(failing, "expect")  # noqa: B009 - of each kind
                assert caught.value.actual in {ends[1], b"%d" % ends[1]}
        assert await seen(store, "s") == before
        assert await all_sessions(store) == ["later", "s"]

    async def test_the_first_that_fails_is_the_conflict(self, store: Store) -> None:
        main, side, usage = await _ends(store)
        changes: list[Change] = [
            Append("main", [b"1"], expect=main),
            Remove("side", expect=side + 1),
            Check(":usage", usage + 1),
            Annotate("main", b"new", expect=b"wrong"),
            Forget("missing", expect=5),
        ]
        right = changes[0]
        for order in permutations(changes):
            with pytest.raises(Conflict) as caught:
                await store.commit("s", order)
            first = next(change for change in order if change is not right)
            assert caught.value.log == Log("s", first.log)
            assert caught.value.expected == first.expect

    async def test_conditions_are_those_before_the_commit(self, store: Store, log: Log) -> None:
        """Neither what is cut nor what is noted in the same commit counts."""
        last = await store.append(log, [b"1", b"2", b"3"])
        await store.commit(
            log.session,
            [
                Annotate(log.name, b"note", expect=b""),
                Append(log.name, [b"4"], expect=last, cut=last - 1),
            ],
        )
        assert await payloads_of(store, log) == [b"1", b"2", b"4"]
        with pytest.raises(Conflict):
            await store.commit(
                log.session,
                [Append(log.name, [b"5"]), Annotate(log.name, b"more", expect=b"more")],
            )

    async def test_conditions_on_what_does_not_exist(self, store: Store, log: Log) -> None:
        with pytest.raises(Conflict) as caught:
            await store.commit("s", [Append(log.name, [b"1"]), Check("side", 1)])
        assert (caught.value.log, caught.value.actual) == (Log("s", "side"), 0)
        assert await store.logs("s") == []
        await store.commit("s", [Append(log.name, [b"1"], expect=0), Check("side", 0)])
        assert await payloads_of(store, Log("s", log.name)) == [b"1"]
