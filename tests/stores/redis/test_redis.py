"""The store on Redis: adoption, expiry, isolation, and servers that fail."""

import asyncio
import itertools
import socket
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from agents.extensions.memory import RedisSession as TheirSession
from redis.asyncio import Redis, Sentinel

from tests.servers.process import HOST
from tests.servers.proxy import Proxy
from tests.servers.redis import RedisCluster, RedisSentinel, RedisServer, certificate
from tests.sizes import LOST_ANSWERS
from turnlog import Log
from turnlog.changes import Forget, Key
from turnlog.conversation.reading.tail import ListedTail
from turnlog.sessions.redis import RedisSession
from turnlog.stores.redis import RedisStore

pytestmark = pytest.mark.anyio

ITEMS: list[Any] = [
    {"role": "user", "content": "Grüße, 世界 👩‍🚀 \u2028 \x00 \\ \" '"},
    {"z": 1, "a": {"y": [1, 2.0, -0.0, True, None], "b": ""}, "": {}},
    {"role": "assistant", "content": "x" * 5000},
]


def theirs(client: Redis, session_id: str = "a", **options: Any) -> Any:
    return TheirSession(session_id, redis_client=client, **options)


async def _expiry(client: Redis, key: bytes | str) -> int:
    """The second of the server's clock at which the key expires."""
    return await client.expiretime(key)  # type: ignore[arg-type]  # it takes bytes as well


# What the SDK has stored


@pytest.mark.parametrize("touch", ["read", "write", "pop", "list"])
async def test_a_session_of_the_sdks_is_adopted_on_first_touch(client: Redis, touch: str) -> None:
    await theirs(client).add_items(ITEMS)
    ours = RedisSession("a", client)
    expected = list(ITEMS)
    if touch == "write":
        await ours.add_items(ITEMS[:1])
        expected += ITEMS[:1]
    elif touch == "pop":
        assert await ours.pop_item() == expected.pop()
    elif touch == "list":
        (head,) = await ours.store.logs("a")
        assert (head.length, head.created_at % 1) == (len(ITEMS), 0.0)
    assert await ours.get_items() == expected
    assert not await client.exists("agents:session:a", "agents:session:a:messages")
    assert [head.log.session for head in await ours.store.sessions()] == ["a"]


async def test_adoption_is_one_step_whoever_comes_first(client: Redis) -> None:
    await theirs(client).add_items(ITEMS)
    sessions = [RedisSession("a", client) for _ in range(10)]
    await asyncio.gather(*(s.add_items([{"n": n}]) for n, s in enumerate(sessions)))
    items = await sessions[0].get_items()
    assert items[:3] == ITEMS
    assert sorted(item["n"] for item in items[3:]) == list(range(10))


async def test_what_the_sdk_adds_later_follows_at_the_next_write(client: Redis) -> None:
    ours = RedisSession("a", client)
    await ours.add_items(ITEMS[:1])
    await theirs(client).add_items(ITEMS[1:2])
    await ours.add_items(ITEMS[2:])
    assert await ours.get_items() == ITEMS


async def test_the_time_to_live_is_adopted_too(client: Redis) -> None:
    begun, _ = await client.time()
    await theirs(client, ttl=500).add_items(ITEMS)
    ended, _ = await client.time()
    assert await RedisSession("a", client).get_items() == ITEMS
    kept = [key for key in await client.keys("agents:session/{=*") if b"/write/" not in key]
    assert len(kept) == 3
    for key in kept:
        assert begun + 499 <= await _expiry(client, key) <= ended + 501


async def test_a_log_that_is_added_expires_with_the_session(client: Redis) -> None:
    await theirs(client, ttl=500).add_items(ITEMS)
    store = RedisStore(client)
    for each in (Key("k"), Key("b", brief=True)):
        await store.append(Log("a", ":usage"), [b"1"], key=each)
    await RedisStore(client, ttl=100).append(Log("b"), [b"1"])
    await store.append(Log("b", ":usage"), [b"1"])
    found = await client.keys("agents:session/{=*")
    assert len(found) == 6 + 4 + 4  # of these, four are tokens
    for key in found:
        assert 0 < await client.ttl(key) <= 500, key


async def test_a_session_that_was_cleared_is_not_adopted_later(client: Redis) -> None:
    await theirs(client).add_items(ITEMS)
    ours = RedisSession("a", client)
    await ours.clear_session()
    assert await ours.get_items() == []
    assert await theirs(client).get_items() == []


async def test_a_client_that_was_handed_in_stays_the_callers(client: Redis) -> None:
    session = RedisSession("a", client)
    await session.add_items(ITEMS)
    await session.close()
    await session.add_items(ITEMS)
    assert await session.get_items() == ITEMS * 2
    assert await client.ping()


# Expiry


async def test_every_write_renews_every_key_of_the_session(client: Redis) -> None:
    ours = RedisSession("a", client, ttl=1000)
    await ours.store.append(Log("a", ":usage"), [b"1"], key=Key("k"))
    await ours.store.append(Log("a", ":usage"), [b"1"], key=Key("b", brief=True))
    await ours.store.annotate(Log("a"), b"note")
    for key in await client.keys("*{=a}*"):
        if b"/write/" not in key:
            await client.expire(key, 500)
    begun, _ = await client.time()
    await ours.add_items(ITEMS)
    keys = [key for key in await client.keys("*{=a}*") if b"/write/" not in key]
    assert len(keys) == 6
    for key in keys:
        assert await _expiry(client, key) >= begun + 1000, key


async def test_an_expired_session_is_gone_whole(client: Redis) -> None:
    ours = RedisSession("a", client, ttl=1)
    await RedisSession("b", client).add_items(ITEMS)
    last = await ours.store.append(Log("a"), [b"1", b"2", b"3"])
    await asyncio.sleep(1.2)
    assert await ours.get_items() == []
    assert [head.log.session for head in await ours.store.sessions()] == ["b"]
    assert await ours.store.append(Log("a"), [b"1"]) > last


@pytest.mark.parametrize("ttl", [0, -1, 2**63])
async def test_a_time_to_live_that_redis_does_not_take(client: Redis, ttl: int) -> None:
    with pytest.raises(ValueError, match="ttl is"):
        RedisSession("a", client, ttl=ttl)
    with pytest.raises(TypeError, match="whole number"):
        RedisSession("a", client, ttl=1.5)  # type: ignore[arg-type]


async def test_positions_are_not_used_again_when_the_clock_is_set_back(client: Redis) -> None:
    ours = RedisStore(client)
    ahead = 2 * 10**15  # a server whose clock was years ahead
    await ours.append(Log("a"), [b"1"])
    await client.hset("agents:session/{=a}/logs", "g", str(ahead))
    assert await ours.append(Log("a", "side"), [b"2"]) == ahead + 1
    await ours.commit("a", [Forget("side")])
    assert await ours.append(Log("a", "side"), [b"3"]) == ahead + 2
    await ours.delete("a")
    assert await ours.append(Log("a"), [b"4"]) == ahead + 3
    await ours.delete("a")
    assert await ours.append(Log("a", "side"), [b"5"]) == ahead + 4


# Isolation


async def test_no_tenant_sees_another(client: Redis) -> None:
    ids = ["a", "a:messages", "a}", "{a}", "a*", "*", "?", "a/records/main", "", "=", "%7Ba", "{a"]
    for n, name in enumerate(ids):
        await RedisSession(name, client).add_items([{"n": n}])
    for n, name in enumerate(ids):
        assert await RedisSession(name, client).get_items() == [{"n": n}]
        assert await RedisSession(name, client, key_prefix="agents").get_items() == []
    for name in ids[::2]:
        await RedisSession(name, client).clear_session()
    left = {head.log.session for head in await RedisStore(client).sessions()}
    assert left == set(ids[1::2])


# Servers that fail


@pytest.mark.proof
@pytest.mark.parametrize("keyed", [True, False])
async def test_a_lost_answer_stores_once(own_redis: RedisServer, keyed: bool) -> None:
    with Proxy(own_redis.port) as proxy:
        store = RedisStore.from_url(f"redis://{HOST}:{proxy.port}/0")
        await store.append(Log("a"), [b"first"])
        for n in range(LOST_ANSWERS):
            proxy.lose_the_reply_to(b"turn %d." % n)
            await store.append(Log("a"), [b"turn %d." % n], key=Key(f"k{n}") if keyed else None)
        assert proxy.lost == LOST_ANSWERS
        payloads = list((await store.read(Log("a"))).payloads)
        assert payloads == [b"first", *(b"turn %d." % n for n in range(LOST_ANSWERS))]
        last = (await store.read(Log("a"), limit=1)).positions[0]
        proxy.lose_the_reply_to(b"%d" % last)
        assert await store.remove(Log("a"), after=last - 1, expect=last) < last
        assert len(await store.read(Log("a"))) == LOST_ANSWERS
        await store.aclose()


async def test_a_server_that_forgot_the_scripts(client: Redis) -> None:
    ours = RedisSession("a", client)
    for _ in range(3):
        await ours.add_items(ITEMS)
        await client.script_flush()
    assert await ours.get_items() == ITEMS * 3


async def test_a_wrong_password_is_told_at_once_and_never_shown(client: Redis) -> None:
    await client.config_set("requirepass", "right")
    try:
        url = str(client.connection_pool.connection_kwargs["port"])
        store = RedisStore.from_url(f"redis://:sesame@{HOST}:{url}/0")
        with pytest.raises(Exception, match=r"(?i)password|auth") as caught:
            await store.read(Log("a"))
        assert "sesame" not in str(caught.value) + repr(store)
        await store.aclose()
    finally:
        await client.config_set("requirepass", "")


async def _write_until(stopping: asyncio.Event, session: RedisSession, done: Counter[str]) -> None:
    for batch in itertools.count():
        await session.add_items([{"batch": batch, "place": place} for place in range(3)])
        done[session.session_id] = batch + 1
        if stopping.is_set():
            return


async def _all_have_written(sessions: list[RedisSession], done: Counter[str]) -> None:
    """Wait until each session has two more batches, the second of which began after now."""
    before = done.copy()
    while any(done[s.session_id] < before[s.session_id] + 2 for s in sessions):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def _batches(count: int) -> list[Any]:
    return [{"batch": b, "place": p} for b in range(count) for p in range(3)]


async def test_what_was_acknowledged_outlives_the_server(own_redis: RedisServer) -> None:
    url = f"{own_redis.url}?patience=200"
    sessions = [RedisSession.from_url(f"s{n}", url) for n in range(32)]
    stopping, done = asyncio.Event(), Counter[str]()
    writers = [asyncio.create_task(_write_until(stopping, s, done)) for s in sessions]
    for _ in range(3):
        await _all_have_written(sessions, done)
        own_redis.restart()
    await _all_have_written(sessions, done)
    stopping.set()
    await asyncio.gather(*writers)
    for session in sessions:
        assert await session.get_items() == _batches(done[session.session_id])
    await sessions[0].store.aclose()


async def test_a_master_of_the_cluster_is_killed_and_comes_back(
    own_redis_cluster: RedisCluster,
) -> None:
    url = f"{own_redis_cluster.url}?patience=200"
    sessions = [RedisSession.from_url(f"s{n}", url) for n in range(32)]
    stopping, done = asyncio.Event(), Counter[str]()
    writers = [asyncio.create_task(_write_until(stopping, s, done)) for s in sessions]
    await _all_have_written(sessions, done)
    own_redis_cluster.masters()[0].restart()
    await _all_have_written(sessions, done)
    stopping.set()
    await asyncio.gather(*writers)
    for session in sessions:
        assert await session.get_items() == _batches(done[session.session_id])
    await sessions[0].store.aclose()


async def test_a_replica_takes_over_and_sessions_go_on(own_redis_cluster: RedisCluster) -> None:
    url = f"{own_redis_cluster.url}?patience=200"
    sessions = [RedisSession.from_url(f"s{n}", url) for n in range(32)]
    await asyncio.gather(*(session.add_items(_batches(1)) for session in sessions))
    own_redis_cluster.replace(own_redis_cluster.masters()[0])
    await asyncio.gather(*(session.add_items(_batches(1)) for session in sessions))
    for session in sessions:
        assert await session.get_items() == _batches(1) * 2
    assert len(await sessions[0].store.sessions()) == 32
    await sessions[0].store.aclose()


async def test_behind_sentinels(redis_sentinel: RedisSentinel) -> None:
    sentinel = Sentinel(redis_sentinel.addresses)  # type: ignore[no-untyped-call]
    client = sentinel.master_for(redis_sentinel.service)
    session = RedisSession("a", client, patience=200)
    await session.add_items(ITEMS)
    redis_sentinel.replace_master()
    await session.add_items(ITEMS)
    assert await session.get_items() == ITEMS * 2
    await client.aclose()
    for each in sentinel.sentinels:
        await each.aclose()


@asynccontextmanager
async def _encrypted(port: int) -> AsyncIterator[int]:
    """A port that speaks TLS in front of one that doesn't."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate() / "cert.pem", certificate() / "key.pem")

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
        target.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection(HOST, port)
        await asyncio.gather(copy(reader, outer), copy(inner, writer))

    door = socket.create_server((HOST, 0))
    async with await asyncio.start_server(serve, sock=door, ssl=context):
        yield door.getsockname()[1]


async def test_over_a_line_that_is_encrypted(redis: RedisServer) -> None:
    async with _encrypted(redis.port) as port:
        options = {"ssl_ca_certs": str(certificate() / "cert.pem")}
        url = f"rediss://{HOST}:{port}/0"
        session = RedisSession.from_url("tls", url, redis_kwargs=options)
        await session.add_items(ITEMS)
        assert await session.get_items() == ITEMS
        assert await session.ping()
        await session.store.aclose()


async def test_ping(own_redis: RedisServer) -> None:
    session = RedisSession.from_url("a", own_redis.url)
    assert await session.ping()
    own_redis.kill()
    assert not await session.ping()
    await session.close()
    with pytest.raises(RuntimeError, match="RedisSession is closed"):
        await session.ping()


async def test_a_window_reads_no_more_than_it_needs(redis: RedisServer) -> None:
    session = RedisSession.from_url("windows", redis.url, session_settings={"max_turns": 2})
    assert not isinstance(session.tail(), ListedTail)
    items = [{"role": role, "content": str(n)} for n in range(9) for role in ("user", "assistant")]
    await session.add_items(items)
    assert await session.get_items() == items[-4:]
    assert await session.get_items(-1) == []
    await session.close()
