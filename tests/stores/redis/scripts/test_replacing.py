"""Replacing on Redis: one step, in lists of every kind, at the same cost in a long log."""

from typing import Any

import pytest
from agents.extensions.memory import RedisSession as TheirSession
from redis.asyncio import Redis

from tests.servers.process import HOST
from tests.servers.proxy import Proxy
from tests.servers.redis import RedisServer
from tests.sizes import LOST_ANSWERS
from tests.stores.redis.test_older_versions import append
from turnlog import Log, RecordChanged
from turnlog.changes import Append, Key, Replace
from turnlog.store import Store
from turnlog.stores.redis import RedisStore
from turnlog.testing.looking import payloads_of, seen

pytestmark = pytest.mark.anyio

LOG = Log("a")


async def replace_all(store: Store, payloads: list[bytes], key: Key | None = None) -> None:
    records = await store.read(LOG)
    change = Replace(LOG.name, records.positions, payloads, records.payloads)
    await store.commit(LOG.session, [change], key=key)


async def test_times_that_were_given_stay(client: Redis) -> None:
    store = RedisStore(client)
    times = [None, 86_400.25, 0.0, None]
    await store.commit("a", [Append("main", [b"0", b"t1", b"", b"t"], times=times)])
    before = await store.read(LOG)
    await replace_all(store, [b"t0123456789", b"", b"\xf5\x00", b"3"])
    after = await store.read(LOG)
    assert list(after.payloads) == [b"t0123456789", b"", b"\xf5\x00", b"3"]
    assert [*after.positions] == [*before.positions]
    assert [*after.times] == [*before.times]
    await replace_all(store, list(before.payloads))
    assert await store.read(LOG) == before


@pytest.mark.parametrize("step", [1, 2, 15, 16, 17, 40, 1999])
async def test_the_right_ones_of_many(client: Redis, step: int) -> None:
    """Elements are read sixteen at once; what lies between is skipped."""
    store = RedisStore(client)
    old = [b"%d" % n for n in range(3000)]
    await store.append(LOG, old)
    positions = list((await store.read(LOG)).positions)
    chosen = range(step % 7, 3000, step)
    new = [b"new %d" % n for n in chosen]
    change = Replace("main", [positions[n] for n in chosen], new, [old[n] for n in chosen])
    await store.commit("a", [change])
    expected = [b"new %d" % n if n in chosen else b"%d" % n for n in range(3000)]
    assert await payloads_of(store, LOG) == expected
    before = await seen(store, "a")
    for n in {0, len(chosen) // 2, len(chosen) - 1}:
        wrong = list(new)
        wrong[n] = b"another"
        with pytest.raises(RecordChanged) as caught:
            await store.commit("a", [change._replace(old=wrong)])
        assert (caught.value.position, caught.value.is_gone) == (positions[chosen[n]], False)
    assert await seen(store, "a") == before


async def test_ten_thousand_at_once(client: Redis) -> None:
    store = RedisStore(client)
    await store.append(LOG, [b"old %d" % n for n in range(12_000)])
    await replace_all(store, [b"new %d" % n for n in range(12_000)])
    assert await payloads_of(store, LOG) == [b"new %d" % n for n in range(12_000)]


async def test_a_long_log_is_not_read_whole(client: Redis) -> None:
    store = RedisStore(client)
    await store.append(LOG, [b"x" * 600] * 10_000)
    positions = list((await store.read(LOG)).positions)[7000:7500]
    await client.config_resetstat()
    await store.commit("a", [Replace("main", positions, [b"y" * 600] * 500, [b"x" * 600] * 500)])
    calls = await client.info("commandstats")
    counts = {name: calls[f"cmdstat_{name}"]["calls"] for name in ("lindex", "lrange", "lset")}
    assert counts["lset"] == 500
    assert counts["lrange"] <= 32
    assert counts["lindex"] <= 70


async def test_a_replacement_renews_every_key(client: Redis) -> None:
    store = RedisStore(client, ttl=100)
    await store.append(LOG, [b"1"], key=Key("k"))
    await store.append(Log("a", ":usage"), [b"1"], key=Key("b", brief=True))
    keys = [key for key in await client.keys("*{=a}*") if b"/write/" not in key]
    assert len(keys) == 6
    for key in keys:
        await client.expire(key, 5)
    await RedisStore(client).commit("a", [Replace("main", [], [], [])])
    assert {await client.ttl(key) for key in keys} <= {4, 5}
    await replace_all(store, [b"2"])
    assert {await client.ttl(key) for key in keys} <= {99, 100}
    await replace_all(RedisStore(client), [b"3"])  # one without a ttl changes nothing about it
    assert {await client.ttl(key) for key in keys} <= {99, 100}


async def test_what_an_older_version_stored(client: Redis) -> None:
    positions = [await append(client, LOG, b"%d" % n) for n in range(3)]
    store = RedisStore(client)
    change = Replace("main", positions[1:], [b"one", b"two"], [b"1", b"2"])
    with pytest.raises(RecordChanged):
        await store.commit("a", [change._replace(old=[b"1", b"?"])])
    assert (await store.commit("a", [change])).positions == (positions[2],)
    assert await payloads_of(store, LOG) == [b"0", b"one", b"two"]


async def test_what_the_sdk_stored(client: Redis) -> None:
    items: list[Any] = [{"role": "user", "content": "1"}, {"role": "user", "content": "2"}]
    await TheirSession("a", redis_client=client).add_items(items)
    store = RedisStore(client)
    first = (await store.read(LOG))[0]
    await TheirSession("a", redis_client=client).add_items(items[:1])  # which follows first
    change = Replace("main", [first.position], [b"new"], [first.payload])
    (end,) = (await store.commit("a", [change])).positions
    records = await store.read(LOG)
    assert (records.payloads[0], records.positions[-1], len(records)) == (b"new", end, 3)


@pytest.mark.proof
@pytest.mark.parametrize("keyed", [True, False])
async def test_a_lost_answer_replaces_once(own_redis: RedisServer, keyed: bool) -> None:
    """Sent again, it would find the new payload in place of the old one."""
    with Proxy(own_redis.port) as proxy:
        store = RedisStore.from_url(f"redis://{HOST}:{proxy.port}/0")
        await store.append(LOG, [b"first"] * 3)
        for n in range(LOST_ANSWERS):
            proxy.lose_the_reply_to(b"turn %d." % n)
            new = [b"turn %d." % n, b"", b"%d" % n]
            await replace_all(store, new, key=Key(f"k{n}") if keyed else None)
            assert await payloads_of(store, LOG) == new
        assert proxy.lost == LOST_ANSWERS
        await store.aclose()
