"""Existence: which commits make a conversation, which logs it has then, and which times move."""

from __future__ import annotations

from itertools import product

from turnlog.changes import Annotate, Append, Change, Check, Forget, Key, Remove, Replace
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import all_sessions, end_of, fill, head_of, seen

__all__ = ["Existence"]

#: They make the conversation, and the log "side" in it.
MAKING: tuple[Change, ...] = (
    Append("side", [b"1"]),
    Append("side", [b"1"], expect=0, cut=0),
    Annotate("side", b"note"),
    Annotate("side", b""),
)
#: They find nothing to change. With a key they make the conversation, where the key is kept.
FINDING_NOTHING: tuple[Change, ...] = (
    Append("side", [], cut=0),
    Remove("side"),
    Remove("main", expect=0),
    Forget("side"),
    Forget("main"),
)
#: They write nothing, and keep no key.
SILENT: tuple[Change, ...] = (
    Append("side", []),
    Append("main", [], expect=0),
    Check("side", 0),
    Replace("side", [], [], []),
)


class Existence:
    """A conversation exists from the first record, note or key on, with the log "main"."""

    async def test_what_makes_a_conversation(self, store: Store, twin: Store) -> None:
        keys = (None, Key("k"), Key("b", brief=True))
        for n, (change, key) in enumerate(product(MAKING, keys)):
            session = f"s{n}"
            await store.commit(session, [change], key=key)
            main, side = await twin.logs(session)
            assert (main.log, main.last, main.length, main.note) == (Log(session), 0, 0, b"")
            assert side.log == Log(session, "side")
            assert await twin.sessions(limit=1) == [main]

    async def test_a_change_that_finds_nothing(self, store: Store) -> None:
        for change in FINDING_NOTHING:
            assert (await store.commit("s", [change])).positions == (0,), change
            assert await store.logs("s") == []
            assert await store.sessions() == []
            assert (await store.commit("s", [change], key=Key("k"))).positions == (0,)
            assert [head.log for head in await store.logs("s")] == [Log("s")]
            assert await all_sessions(store) == ["s"]
            assert (await store.commit("s", [Append("main", [b"1"])], key=Key("k"))).replayed
            await store.delete("s")

    async def test_what_writes_nothing(self, store: Store) -> None:
        for change, key in product(SILENT, (None, Key("k"), Key("b", brief=True))):
            assert (await store.commit("s", [change], key=key)).positions == (0,)
        assert await store.logs("s") == []
        assert await store.sessions() == []

    async def test_no_time_moves_when_nothing_changes(self, store: Store) -> None:
        await store.commit("s", [Append("x", [b"1"])])
        await fill(store, "later")
        before = await seen(store, "s")
        for n, change in enumerate((*FINDING_NOTHING, *SILENT)):
            await store.commit("s", [change])
            await store.commit("s", [change], key=Key(f"k{n}"))
            assert await seen(store, "s") == before, change
            assert await all_sessions(store) == ["later", "s"]

    async def test_no_time_moves_when_the_cut_is_at_the_end(self, store: Store, log: Log) -> None:
        await fill(store, log.session, "later")
        end = await end_of(store, log)
        before = await seen(store, log.session)
        for cut in (end, end + 1, 10**30):
            done = await store.commit(log.session, [Append(log.name, [], cut=cut)])
            assert done.positions == (end,)
        assert await seen(store, log.session) == before
        assert await all_sessions(store) == ["later", log.session]

    async def test_times_move_where_something_changes(self, store: Store) -> None:
        await fill(store, "s", "later")
        before = {head.log.name: head for head in await store.logs("s")}
        changes: list[Change] = [
            Check("main", before["main"].last),
            Append(":usage", [b"1"]),
            Remove("side", before=before["side"].last),
            Append("new", [b"1"]),
        ]
        await store.commit("s", changes)
        after = {head.log.name: head for head in await store.logs("s")}
        assert after["main"] == before["main"]
        assert after["side"].updated_at > before["side"].updated_at
        assert after[":usage"].updated_at > before[":usage"].updated_at
        assert after["side"].created_at == before["side"].created_at
        assert await all_sessions(store) == ["later", "s"]

    async def test_a_removal_that_leaves_nothing_keeps_the_conversation(
        self, store: Store, log: Log
    ) -> None:
        await store.append(log, [b"1"])
        await store.remove(log)
        names = [head.log.name for head in await store.logs(log.session)]
        assert names == sorted({"main", log.name})
        assert (await head_of(store, log)).length == 0
        assert await all_sessions(store) == [log.session]
