"""Faults of Redis: slots that move, servers that hang, keys of others, and mistakes."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import count
from typing import Any

import pytest
from agents.extensions.memory import RedisSession as TheirSession
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import ConnectionError  # noqa: A004 - the driver's own

from tests.servers.redis import RedisCluster, RedisServer
from turnlog import Log
from turnlog.changes import Key
from turnlog.sessions.redis import RedisSession
from turnlog.stores.redis import RedisStore, scripts
from turnlog.stores.redis.keys import Keys
from turnlog.stores.redis.retrying import closed_connections_named
from turnlog.stores.redis.scripts import Script

pytestmark = pytest.mark.anyio

ITEMS: list[Any] = [{"role": "user", "content": "Grüße"}, {"role": "assistant", "content": "ja"}]


@pytest.fixture
async def client(redis: RedisServer) -> AsyncIterator[Redis]:
    """A client of the caller's own, on an empty server."""
    async with Redis.from_url(redis.url) as client:
        await client.flushdb()
        yield client


# A Cluster whose slots move


def _sharing_a_slot(number: int) -> list[str]:
    """Ids of sessions that a Cluster keeps in one slot."""
    keys = Keys("agents:session")
    slot = key_slot(keys.heads("s0").encode())
    ids = (f"s{n}" for n in count())
    matching = (each for each in ids if key_slot(keys.heads(each).encode()) == slot)
    return [next(matching) for _ in range(number)]


async def test_writers_go_on_while_a_slot_is_moved(redis_cluster: RedisCluster) -> None:
    ids = _sharing_a_slot(3)
    store = RedisStore.from_url(redis_cluster.url, patience=30.0)
    moved = asyncio.Event()

    async def write(session: str) -> int:
        for number in count():
            await store.append(Log(session), [b"%d" % number], key=Key(f"{number}"))
            if moved.is_set():
                return number + 1
        raise AssertionError

    async def read(session: str) -> list[tuple[float, float]]:
        """When each read began and ended."""
        reads: list[tuple[float, float]] = []
        while not moved.is_set():
            begin = time.monotonic()
            found = await store.read(Log(session), after=1)
            assert found.payloads == [b"%d" % number for number in range(len(found))]
            reads.append((begin, time.monotonic()))
            await asyncio.sleep(0.01)
        return reads

    writing = [asyncio.create_task(write(each)) for each in ids]
    await asyncio.sleep(0.3)
    reading = asyncio.create_task(read(ids[0]))
    key = Keys("agents:session").heads(ids[0])
    moves: list[tuple[float, float]] = []
    for _ in range(2):  # there and back
        begin = time.monotonic()
        await asyncio.to_thread(redis_cluster.move_slot_of, key, 0.005)
        moves.append((begin, time.monotonic()))
        await asyncio.sleep(0.1)
    moved.set()
    reads = await reading
    for begin, end in moves:  # reads don't wait for the end of the move
        assert any(begin < began and ended < end for began, ended in reads)
    for session, number in zip(ids, await asyncio.gather(*writing), strict=True):
        stored = list((await store.read(Log(session))).payloads)
        assert stored == [b"%d" % each for each in range(number)]
        assert number > 10
    await store.aclose()


# A server that hangs for longer than it is waited for


@pytest.mark.parametrize("key", ["turn 1", None])
async def test_what_a_hanging_server_does_later_is_not_done_twice(
    own_redis: RedisServer, key: str | None
) -> None:
    store = RedisStore.from_url(own_redis.url, patience=1.0, socket_timeout=0.3)
    await store.append(Log("a"), [b"before"])
    own_redis.pause()
    try:
        with pytest.raises(Exception, match=r"(?i)time"):
            await store.append(Log("a"), [b"question"], key=key)
        await asyncio.sleep(0.5)
    finally:
        own_redis.resume()
    if key is not None:  # the caller's own retry
        await store.append(Log("a"), [b"question"], key=key)
    await asyncio.sleep(0.3)  # for what still lies in the lines
    await store.append(Log("a"), [b"after"])
    payloads = list((await store.read(Log("a"))).payloads)
    assert payloads == [b"before", b"question", b"after"]
    await store.aclose()


@pytest.mark.parametrize(("patience", "least"), [(1.0, 120), (300.0, 600), (float("inf"), 86_400)])
async def test_a_write_is_known_for_longer_than_it_is_tried(
    client: Redis, patience: float, least: int
) -> None:
    await RedisStore(client, patience=patience).append(Log("a"), [b"1"])
    (token,) = await client.keys("*/write/*")
    assert least - 5 < await client.ttl(token) <= least


@pytest.mark.parametrize("sent", ["append", "remove", "annotate", "delete", "delete a log"])
async def test_what_is_sent_again_does_not_undo_what_came_between(
    client: Redis, monkeypatch: pytest.MonkeyPatch, sent: str
) -> None:
    """The answer to a write is lost, and its second copy comes when others have written."""
    store, log = RedisStore(client), Log("a")
    verbs: dict[str, Callable[[], Awaitable[object]]] = {
        "append": lambda: store.append(log, [b"sent"]),
        "remove": lambda: store.remove(log),
        "annotate": lambda: store.annotate(log, b"sent"),
        "delete": lambda: store.delete("a"),
        "delete a log": lambda: store.delete("a", "main"),
    }

    async def send() -> None:
        with monkeypatch.context() as patch:
            patch.setattr("turnlog.stores.redis.store._token", lambda: "the same write")
            await verbs[sent]()

    await store.append(log, [b"before"])
    await send()
    await store.append(log, [b"between"])
    await store.annotate(log, b"between")
    payloads = (await store.read(log)).payloads
    await send()
    (head,) = await store.logs("a")
    assert (await store.read(log)).payloads == payloads
    assert head.note == b"between"


# Mistakes


async def test_a_blocking_client_is_refused_before_anything_is_stored(redis: RedisServer) -> None:
    with BlockingRedis.from_url(redis.url) as blocking:
        with pytest.raises(TypeError, match=r"this Redis blocks: hand in a client of redis\.async"):
            RedisSession("blocking", blocking)
        assert not blocking.keys("*blocking*")


@pytest.mark.parametrize(
    "mistake", [TypeError("no such argument"), AttributeError("no 'NoneType'")]
)
async def test_a_mistake_is_no_outage(
    client: Redis, monkeypatch: pytest.MonkeyPatch, mistake: Exception
) -> None:
    store = RedisStore(client)
    tries: list[object] = []

    async def fail(*words: object, **_options: object) -> None:
        tries.append(words)
        raise mistake

    monkeypatch.setattr(client, "execute_command", fail)
    with pytest.raises(type(mistake), match="no "):
        await store.read(Log("a"))
    assert len(tries) == 1


async def test_the_error_of_the_driver_names_its_issue() -> None:
    for module, error in [("redis.asyncio.connection", ConnectionError), ("ours", AttributeError)]:
        with pytest.raises(error, match="NoneType") as caught, closed_connections_named():
            exec("None.read()", {"__name__": module})  # noqa: S102 - in a module of that name
        assert ("redis-py issue 4287" in str(caught.value)) == (module != "ours")


async def test_a_connection_that_was_closed_by_another_task_is_made_anew(client: Redis) -> None:
    store = RedisStore(client)
    await store.append(Log("a"), [b"1"])
    writes = [asyncio.create_task(store.append(Log("a"), [b"%d" % n])) for n in range(20)]
    for _ in range(10):
        await asyncio.sleep(0.0005)
        await client.connection_pool.disconnect(inuse_connections=True)
    await asyncio.gather(*writes)
    assert len(await store.read(Log("a"))) == 21


# Keys that are called alike


def _theirs(client: Redis, session_id: str, **options: Any) -> Any:
    return TheirSession(session_id, redis_client=client, **options)


@pytest.mark.parametrize("other", ["alice:messages", "alice:counter"])
async def test_clearing_one_id_leaves_what_another_has(client: Redis, other: str) -> None:
    await _theirs(client, "alice").add_items(ITEMS)
    await _theirs(client, "alice")._get_next_id()
    ours = RedisSession(other, client)
    assert await ours.get_items() == []
    await ours.add_items(ITEMS[:1])
    await ours.clear_session()
    for name in ("", ":messages", ":counter"):
        assert await client.exists(f"agents:session:alice{name}"), name
    assert await _theirs(client, "alice").get_items() == ITEMS
    assert await RedisSession("alice", client).get_items() == ITEMS


async def test_a_session_whose_id_looks_like_a_key(client: Redis) -> None:
    """What the SDK keeps for `alice:messages` is no message of `alice`."""
    await _theirs(client, "alice:messages").add_items(ITEMS)
    alice = RedisSession("alice", client)
    assert await alice.get_items() == []
    await alice.add_items(ITEMS[:1])
    await alice.clear_session()
    assert await RedisSession("alice:messages", client).get_items() == ITEMS
    assert not await client.keys("agents:session:*")


async def test_a_session_of_another_prefix_is_left(client: Redis) -> None:
    """Prefix and id meet at a colon, and both may hold one."""
    await _theirs(client, "alice").add_items(ITEMS)
    same_keys = RedisSession("session:alice", client, key_prefix="agents")
    assert await same_keys.get_items() == []
    await same_keys.clear_session()
    assert await RedisSession("alice", client).get_items() == ITEMS


async def test_clearing_forgets_all_that_the_sdk_stored(client: Redis) -> None:
    for name in ("alice", "bob"):
        await _theirs(client, name).add_items(ITEMS)
        await _theirs(client, name)._get_next_id()
    for _ in ITEMS:
        await _theirs(client, "bob").pop_item()  # so that it has no list any more
    await RedisSession("alice", client).clear_session()
    await RedisSession("bob", client).clear_session()
    assert not await client.keys("agents:session:*")


# Ids of sessions that have expired


async def test_ids_of_expired_sessions_go_without_a_listing(client: Redis) -> None:
    lasting = RedisStore(client)
    for n in range(40):
        await lasting.append(Log(f"lasting {n} {{%}}"), [b"1"])
    short = RedisStore(client, ttl=1)
    await asyncio.gather(*(short.append(Log(f"short {n}"), [b"1"]) for n in range(50)))
    keys, long_ago = Keys("agents:session"), time.time_ns() // 1000 - 10**9
    async with client.pipeline() as many:  # as they are in the list when they have expired
        for n in range(50, 5_000):
            many.zadd(keys.directory(f"short {n}"), {f"short {n}": long_ago + n})
        await many.execute()
    await asyncio.sleep(1.2)
    busy = RedisStore(client, ttl=100)

    async def stay_busy(name: str) -> None:
        for _ in range(80):
            await busy.append(Log(name), [b"1"])

    await asyncio.gather(*(stay_busy(f"busy {n}") for n in range(50)))
    left = [str(member) for shard in keys.shards() for member in await client.zrange(shard, 0, -1)]
    assert sum(each.startswith("b'lasting") for each in left) == 40
    assert sum(each.startswith("b'busy") for each in left) == 50
    assert sum(each.startswith("b'short") for each in left) < 50


async def test_a_session_that_is_written_while_it_is_deleted_stays_listed(
    redis_cluster: RedisCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process writes between the deletion and the end of its entry on a Cluster."""
    deleting, writing, late = (
        RedisStore.from_url(redis_cluster.url, key_prefix="deleted") for _ in range(3)
    )
    run = deleting._run

    async def slow(script: Script, log: Log) -> Any:
        if log.session == "late":
            await late._directory.announce(log)
        answer = await run(script, log)
        if log.session == "known":
            await writing.append(log, [b"2"])
        if log.session == "late":
            await late._run(scripts.APPEND, log, "", "0", "", b"2")  # and then it is killed
        return answer

    for name in ("known", "late", "gone"):
        await writing.append(Log(name), [b"1"])
    monkeypatch.setattr(deleting, "_run", slow)
    for name in ("known", "late", "gone"):
        await deleting.delete(name)
    listed = [head.log.session for head in await writing.sessions()]
    assert sorted(listed) == ["known", "late"]
    for store in (deleting, writing, late):
        await store.aclose()


async def test_ids_of_expired_sessions_go_from_a_cluster(redis_cluster: RedisCluster) -> None:
    options: dict[str, Any] = {"key_prefix": "expired"}
    lasting = RedisStore.from_url(redis_cluster.url, **options)
    await asyncio.gather(*(lasting.append(Log(f"lasting {n}"), [b"1"]) for n in range(40)))
    client = redis_cluster.client()
    long_ago = time.time_ns() // 1000 - 10**9
    keys = Keys("expired")
    for each in (f"expired {n}" for n in range(160)):
        client.zadd(keys.directory(each), {each: long_ago})
    short = RedisStore.from_url(redis_cluster.url, ttl=100, **options)
    for n in range(400):
        await short.append(Log(f"short {n}"), [b"1"])
    left = [str(member) for shard in keys.shards() for member in client.zrange(shard, 0, -1)]
    client.close()
    assert sum(each.startswith("b'lasting") for each in left) == 40
    assert sum(each.startswith("b'short") for each in left) == 400
    assert sum(each.startswith("b'expired") for each in left) == 0
    for store in (lasting, short):
        await store.aclose()
