"""Idempotency keys: a commit with a `key` happens once, however often it is tried."""

from __future__ import annotations

import asyncio

import pytest

from turnlog.changes import Annotate, Append, Change, Check, Forget, Key, Remove, Replace
from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import fill, payloads_of, seen

__all__ = ["Keys"]


class Keys:
    """A commit with a key happens once on its session, as long as the session exists."""

    async def test_the_same_key_stores_nothing_again(
        self, store: Store, twin: Store, log: Log
    ) -> None:
        first = await store.append(log, [b"1", b"2"], key=Key("k"))
        last = await store.append(log, [b"3"])
        before = await seen(store, log.session)
        for handle in (store, twin):
            assert await handle.append(log, [b"1", b"2"], key=Key("k")) == first
            assert await handle.append(log, [b"something else"], key=Key("k")) == first
            assert await handle.append(log, [], key=Key("k")) == first
        assert last > first
        assert await seen(store, log.session) == before

    async def test_another_key_is_another_write(self, store: Store, log: Log) -> None:
        keys = ("", "k", "K", "k ", "k\x1f", "k%", "0")
        for key in keys:
            await store.append(log, [key.encode()], key=Key(key))
        assert await payloads_of(store, log) == [key.encode() for key in keys]

    async def test_expect_is_not_asked_again(self, store: Store, log: Log) -> None:
        first = await store.append(log, [b"1"], expect=0, key=Key("k"))
        assert await store.append(log, [b"1"], expect=0, key=Key("k")) == first
        await store.append(log, [b"2"])
        assert await store.append(log, [b"1"], expect=0, key=Key("k")) == first
        assert await payloads_of(store, log) == [b"1", b"2"]

    async def test_a_conflict_does_not_use_the_key_up(self, store: Store, log: Log) -> None:
        with pytest.raises(Conflict):
            await store.append(log, [b"1"], expect=5, key=Key("k"))
        await store.append(log, [b"1"], expect=0, key=Key("k"))
        assert await payloads_of(store, log) == [b"1"]

    async def test_a_commit_that_writes_nothing_keeps_no_key(self, store: Store, log: Log) -> None:
        assert await store.append(log, [], key=Key("k")) == 0
        assert not (await store.commit(log.session, [], key=Key("k"))).replayed
        for silent in (Check(log.name, 0), Replace(log.name, [], [], [])):
            assert not (await store.commit(log.session, [silent], key=Key("k"))).replayed
        await store.append(log, [b"1"], key=Key("k"))
        assert await payloads_of(store, log) == [b"1"]

    async def test_a_key_outlives_its_records(self, store: Store, log: Log) -> None:
        first = await store.append(log, [b"1"], key=Key("k"))
        await store.remove(log)
        assert await store.append(log, [b"1"], key=Key("k")) == first
        assert await store.read(log) == []

    async def test_keys_of_other_sessions_are_others(self, store: Store, log: Log) -> None:
        others = (log, Log("b", log.name), Log("session\x1f", log.name))
        for other in others:
            await store.append(other, [b"1"], key=Key("k"))
        for other in others:
            assert await payloads_of(store, other) == [b"1"]

    async def test_a_key_is_known_on_all_logs_of_its_session(self, store: Store, log: Log) -> None:
        side = Log(log.session, "side")
        first = await store.append(log, [b"1"], key=Key("k"))
        assert await store.append(side, [b"2"], key=Key("k")) == first
        assert await payloads_of(store, side) == []

    async def test_the_key_of_a_log_is_known_on_it_alone(self, store: Store, log: Log) -> None:
        side = Log(log.session, "side")
        for _ in range(2):
            for each in (log, side):
                await store.append(each, [b"1"], key=Key.of(each, "k"))
        assert await payloads_of(store, log) == await payloads_of(store, side) == [b"1"]

    async def test_a_key_outlives_its_log(self, store: Store, log: Log) -> None:
        first = await store.append(log, [b"1"], key=Key("k"))
        await store.commit(log.session, [Forget(log.name)])
        assert await store.append(log, [b"1"], key=Key("k")) == first
        assert await store.read(log) == []

    async def test_a_deleted_session_forgets_its_keys(self, store: Store, log: Log) -> None:
        other = Log("other", log.name)
        await store.append(log, [b"1"], key=Key("k"))
        await store.append(other, [b"1"], key=Key("k"))
        await store.delete(log.session)
        await store.append(log, [b"2"], key=Key("k"))
        await store.append(other, [b"2"], key=Key("k"))
        assert await payloads_of(store, log) == [b"2"]
        assert await payloads_of(store, other) == [b"1"]

    async def test_a_commit_to_several_logs_happens_once(self, store: Store, twin: Store) -> None:
        await fill(store, "s")
        changes: list[Change] = [
            Append("main", [b"1"], cut=0),
            Annotate("main", b"note", expect=b"main"),
            Remove(":usage"),
            Forget("side"),
            Check("missing", 0),
        ]
        done = await store.commit("s", changes, key=Key("k"))
        assert not done.replayed
        await store.append(Log("s", "side"), [b"2"])
        await store.append(Log("s", "missing"), [b"3"])
        before = await seen(store, "s")
        for handle in (store, twin):
            again = await handle.commit("s", changes, key=Key("k"))
            assert again == done._replace(replayed=True)
            assert await handle.commit("s", [], key=Key("k")) == again
        assert await seen(store, "s") == before

    async def test_a_known_key_is_answered_before_any_condition(
        self, store: Store, twin: Store, log: Log
    ) -> None:
        first = await store.append(log, [b"1"], key=Key("k"))
        for impossible in (
            Check(log.name, -1),
            Append("side", [b"2"], expect=9),
            Remove(log.name, expect=-1),
            Forget(log.name, expect=-1),
            Annotate(log.name, b"2", expect=b"other"),
            Replace(log.name, [first], [b"2"], [b"other"]),
        ):
            known = await twin.commit(log.session, [impossible], key=Key("k"))
            assert (known.positions, known.replayed) == ((first,), True)
        assert await payloads_of(store, log) == [b"1"]

    async def test_wrong_changes_are_refused_under_a_known_key_too(
        self, store: Store, log: Log
    ) -> None:
        await store.append(log, [b"1"], key=Key("k"))
        with pytest.raises(ValueError, match="two changes"):
            await store.commit(log.session, [Remove("a"), Forget("a")], key=Key("k"))

    async def test_another_digest_is_refused(self, store: Store, twin: Store, log: Log) -> None:
        first = await store.append(log, [b"1"], key=Key("secret", b"\x00one"))
        before = await seen(store, log.session)
        for other in (b"\x00two", b"\x00", b"\x00one\x00", b"one"):
            with pytest.raises(ValueError, match="key") as caught:
                await twin.append(log, [b"2"], key=Key("secret", other))
            assert "secret" not in str(caught.value)
            with pytest.raises(ValueError, match="key"):
                await twin.commit(log.session, [Check(log.name, -1)], key=Key("secret", other))
        assert await seen(store, log.session) == before
        for same in (b"\x00one", b""):
            assert await store.append(log, [b"1"], key=Key("secret", same)) == first

    async def test_a_key_without_a_digest_fits_any(self, store: Store, log: Log) -> None:
        first = await store.append(log, [b"1"], key=Key("k"))
        for digest in (b"one", b"two", b""):
            assert await store.append(log, [b"1"], key=Key("k", digest)) == first
        assert await payloads_of(store, log) == [b"1"]

    @pytest.mark.parametrize("digest", [b"", b"\x00" * 64, bytes(range(64)), b"\xff"], ids=repr)
    async def test_any_digest_is_kept(self, store: Store, log: Log, digest: bytes) -> None:
        for brief in (False, True):
            key = Key(f"k{brief}", digest, brief)
            first = await store.append(log, [b"1"], key=key)
            assert await store.append(log, [b"1"], key=key) == first

    async def test_a_brief_key_is_kept_for_now(self, store: Store, twin: Store, log: Log) -> None:
        keys = [Key(f"k{n}", brief=True) for n in range(20)]
        ends = [await store.append(log, [b"1"], key=key) for key in keys]
        for key, end in zip(keys, ends, strict=True):
            assert await twin.append(log, [b"2"], key=key) == end
        assert await payloads_of(store, log) == [b"1"] * 20
        await store.delete(log.session)
        assert not (await store.commit(log.session, [Append("a", [b"1"])], key=keys[0])).replayed

    async def test_one_of_many_tries_at_once_is_not_a_replay(
        self, store: Store, twin: Store
    ) -> None:
        changes: list[Change] = [
            Append("main", [b"1"], expect=0),
            Append(":usage", [b"1", b"2"], expect=0),
        ]
        tries = [handle.commit("s", changes, key=Key("k")) for handle in [store, twin] * 4]
        answers = await asyncio.gather(*tries)
        assert sorted(answer.replayed for answer in answers) == [False] + [True] * 7
        assert len({answer.positions for answer in answers}) == 1
        assert await payloads_of(store, Log("s")) == [b"1"]
        assert await payloads_of(store, Log("s", ":usage")) == [b"1", b"2"]

    async def test_tries_at_once_store_once(self, store: Store, twin: Store, log: Log) -> None:
        tries = [handle.append(log, [b"1", b"2"], key=Key("k")) for handle in [store, twin] * 6]
        assert len(set(await asyncio.gather(*tries))) == 1
        assert await payloads_of(store, log) == [b"1", b"2"]
