"""Idempotency keys: an append with a `key` happens once, however often it is tried."""

from __future__ import annotations

import asyncio

import pytest

from turnlog.changes import Forget, Key
from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.store import Store
from turnlog.testing.looking import payloads_of, seen

__all__ = ["Keys"]


class Keys:
    """An append with a key happens once on its session, as long as the session exists."""

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

    async def test_no_payloads_do_not_use_the_key_up(self, store: Store, log: Log) -> None:
        assert await store.append(log, [], key=Key("k")) == 0
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

    async def test_tries_at_once_store_once(self, store: Store, twin: Store, log: Log) -> None:
        tries = [handle.append(log, [b"1", b"2"], key=Key("k")) for handle in [store, twin] * 6]
        assert len(set(await asyncio.gather(*tries))) == 1
        assert await payloads_of(store, log) == [b"1", b"2"]
