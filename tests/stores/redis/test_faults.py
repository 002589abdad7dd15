"""Faults of Redis: slots that move, servers that hang, keys of others, and mistakes."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

import pytest
from agents.extensions.memory import RedisSession as TheirSession
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import ConnectionError  # noqa: A004 - the driver's own

from tests.servers.redis import RedisCluster, RedisServer
from turnlog import Log, StoreUnreachable
from turnlog.changes import Annotate, Append, Forget, Key, Replace
from turnlog.sessions.redis import RedisSession
from turnlog.store import Store
from turnlog.stores.redis import RedisStore
from turnlog.stores.redis.keys import Keys
from turnlog.stores.redis.retrying import closed_connections_named
from turnlog.testing.looking import seen

pytestmark = pytest.mark.anyio

ITEMS: list[Any] = [{"role": "user", "content": "Grüße"}, {"role": "assistant", "content": "ja"}]


# A Cluster whose slots move


def _sharing_a_slot(number: int) -> list[str]:
    """Ids of sessions that a Cluster keeps in one slot."""
    keys = Keys("agents:session", is_cluster=True)
    slot = key_slot(keys.logs("s0").encode())
    ids = (f"s{n}" for n in count())
    matching = (each for each in ids if key_slot(keys.logs(each).encode()) == slot)
    return [next(matching) for _ in range(number)]


async def _all_have_written(written: Counter[str], more: int) -> None:
    """Wait until each count has grown by `more`."""
    before = written.copy()
    while any(written[each] < before[each] + more for each in before):  # noqa: ASYNC110
        await asyncio.sleep(0.001)


async def test_writers_go_on_while_a_slot_is_moved(redis_cluster: RedisCluster) -> None:
    ids = _sharing_a_slot(3)
    store = RedisStore.from_url(redis_cluster.url, patience=200.0)
    written, moved = Counter(dict.fromkeys(ids, 0)), asyncio.Event()

    async def write(session: str) -> int:
        for number in count():
            await store.append(Log(session), [b"%d" % number], key=Key(f"{number}"))
            written[session] = number + 1
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
    await _all_have_written(written, 5)
    reading = asyncio.create_task(read(ids[0]))
    key = Keys("agents:session", is_cluster=True).logs(ids[0])
    moves: list[tuple[float, float]] = []
    for _ in range(2):  # there and back
        begin = time.monotonic()
        await asyncio.to_thread(redis_cluster.move_slot_of, key)
        moves.append((begin, time.monotonic()))
        await _all_have_written(written, 5)
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


@pytest.mark.parametrize("key", [Key("turn 1"), Key("turn 1", brief=True), None])
async def test_what_a_hanging_server_does_later_is_not_done_twice(
    own_redis: RedisServer, key: Key | None
) -> None:
    store = RedisStore.from_url(own_redis.url)
    impatient = RedisStore.from_url(own_redis.url, patience=1.0, socket_timeout=0.3)
    await store.append(Log("a"), [b"before"])
    await _connected(impatient)
    own_redis.pause()
    try:
        with pytest.raises(Exception, match=r"(?i)time"):
            await impatient.append(Log("a"), [b"question"], key=key)
        await asyncio.sleep(0.5)
    finally:
        own_redis.resume()
    if key is not None:  # the caller's own retry
        await store.append(Log("a"), [b"question"], key=key)
    while len(await store.read(Log("a"))) < 2:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)  # for what still lies in the lines
    await store.append(Log("a"), [b"after"])
    payloads = list((await store.read(Log("a"))).payloads)
    assert payloads == [b"before", b"question", b"after"]
    for each in (store, impatient):
        await each.aclose()


async def _connected(store: Store) -> None:
    """Read until the server has answered within the time that the store gives it."""
    while True:
        try:
            await store.read(Log("a"))
        except StoreUnreachable:
            continue
        return


async def _expiry(client: Redis, key: bytes | str) -> int:
    """The second of the server's clock at which the key expires."""
    return await client.expiretime(key)  # type: ignore[arg-type]  # it takes bytes as well


@pytest.mark.parametrize(("patience", "least"), [(1.0, 120), (300.0, 600), (float("inf"), 86_400)])
async def test_a_write_is_known_for_longer_than_it_is_tried(
    client: Redis, patience: float, least: int
) -> None:
    begun, _ = await client.time()
    await RedisStore(client, patience=patience).append(Log("a"), [b"1"])
    ended, _ = await client.time()
    (token,) = await client.keys("*/write/*")
    assert begun + least <= await _expiry(client, token) <= ended + least + 1


async def _replace_first(store: Store) -> object:
    position = (await store.read(Log("a"), limit=1, oldest=True)).positions[0]
    return await store.commit("a", [Replace("main", [position], [b"sent"], [b"before"])])


SENT: dict[str, Callable[[Store], Awaitable[object]]] = {
    "append": lambda store: store.append(Log("a"), [b"sent"]),
    "remove": lambda store: store.remove(Log("a")),
    "remove nothing": lambda store: store.remove(Log("a"), after=2**50),
    "annotate": lambda store: store.annotate(Log("a"), b"sent"),
    "replace": _replace_first,
    "delete": lambda store: store.delete("a"),
    "forget": lambda store: store.commit("a", [Forget("main")]),
    "several": lambda store: store.commit(
        "a", [Append("main", [b"sent"], cut=0), Append("side", [b"sent"]), Annotate("main", b"?")]
    ),
    "keyed": lambda store: store.commit("a", [Append("main", [b"sent"])], key=Key("k")),
}


@pytest.mark.parametrize("sent", SENT)
async def test_what_is_sent_again_does_not_undo_what_came_between(
    client: Redis, monkeypatch: pytest.MonkeyPatch, sent: str
) -> None:
    """The answer to a write is lost, and its second copy comes when others have written."""
    store, log = RedisStore(client), Log("a")

    async def send() -> object:
        with monkeypatch.context() as patch:
            patch.setattr("turnlog.stores.redis.store._token", lambda: "the same write")
            return await SENT[sent](store)

    await store.append(log, [b"before"])
    first = await send()
    await store.append(log, [b"between"])
    await store.annotate(log, b"between")
    before = await seen(store, "a")
    assert await send() == first  # also for one with a key, which it did not know
    assert await seen(store, "a") == before


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
