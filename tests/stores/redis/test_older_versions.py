"""Older versions: what they stored is converted by a commit, and their scripts refuse that."""

import asyncio
import json
import time
from typing import Any
from zlib import crc32

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from tests import ROOT
from tests.servers.redis import RedisCluster
from turnlog import Conflict, Log
from turnlog.changes import Append, Check, Forget, Key
from turnlog.records import Record
from turnlog.stores.redis import RedisStore
from turnlog.stores.redis.keys import Keys
from turnlog.testing.looking import seen

pytestmark = pytest.mark.anyio

SCRIPTS: dict[str, str] = json.loads(
    (ROOT / "tests" / "data" / "older" / "redis-scripts.json").read_text()
)
PREFIX = "agents:session"


def older_shard(session: str) -> str:
    """The sorted set in which the older version lists a session."""
    return f"{PREFIX}/sessions/{crc32(session.encode()) % 16}"


async def older(
    client: Any, script: str, log: Log, *arguments: str | bytes, ttl: int = 0
) -> list[bytes]:
    """Run a script as the older version does."""
    stem = f"{PREFIX}/{{={log.session}}}"
    own = ["heads", f"records/{log.name}", f"keys/{log.name}", f"past/{log.name}"]
    keys = [f"{stem}/{key}" for key in [*own, f"write/{time.time_ns()}"]]
    keys.append(older_shard(log.session))
    sdk = f"{PREFIX}:{log.session}"
    keys += [sdk, f"{sdk}:messages", f"{sdk}:counter"]
    given = [log.name, log.session, str(ttl), PREFIX, stem, "120", *arguments]
    answer: list[bytes] = await client.execute_command(
        "EVAL", SCRIPTS[script], len(keys), *keys, *given
    )
    return answer


async def append(client: Any, log: Log, payload: bytes, key: str = "", ttl: int = 0) -> int:
    """An append of the older version; returns the position."""
    given = ("", "1" if key else "0", key, payload)
    _, position, _ = await older(client, "APPEND", log, *given, ttl=ttl)
    return int(position)


OLDER_WRITES: dict[str, tuple[str, tuple[str, ...]]] = {
    "append": ("APPEND", ("", "0", "", "late")),
    "lease": ("APPEND", ("0", "0", "", "mine")),
    "append with a key": ("APPEND", ("", "1", "new key", "late")),
    "remove": ("REMOVE", ("", "0000000000000001", "9007199254740991")),
    "annotate": ("ANNOTATE", ("late",)),
    "delete": ("DELETE_ALL", ()),
}


@pytest.mark.parametrize("write", OLDER_WRITES)
@pytest.mark.parametrize("state", ["made", "converted", "leased", "deleted"])
async def test_older_scripts_refuse_what_this_version_wrote(
    client: Redis, write: str, state: str
) -> None:
    store = RedisStore(client)
    if state == "converted":
        await append(client, Log("a"), b"before")
        await older(client, "ANNOTATE", Log("a"), b"note")
    await store.append(Log("a"), [b"1"])
    if state == "leased":
        await store.commit("a", [Append(":lease", [b"theirs"], expect=0)])
    if state == "deleted":
        await store.delete("a")
    before = await seen(store, "a"), await store.sessions()
    script, arguments = OLDER_WRITES[write]
    name = ":lease" if write == "lease" else "main"
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await older(client, script, Log("a", name), *arguments)
    assert (await seen(store, "a"), await store.sessions()) == before


async def test_a_session_is_converted_by_its_first_commit(client: Redis) -> None:
    positions = [await append(client, Log("a"), b"%d" % n) for n in range(3)]
    side = await append(client, Log("a", ":ä"), b"side")
    await older(client, "ANNOTATE", Log("a"), b"note")
    store = RedisStore(client)
    found, listed = await seen(store, "a"), await store.sessions()
    assert await client.type(f"{PREFIX}/{{=a}}/heads") == b"hash"  # reading converts nothing
    assert listed == [head for head, _ in found if head.log == Log("a")]
    assert listed[0].note == b"note"
    with pytest.raises(Conflict):
        await store.commit("a", [Check("main", 0)])
    assert await seen(store, "a") == found
    (last,) = (await store.commit("a", [Append("main", [b"3"], positions[2])])).positions
    assert [record.position for record in await store.read(Log("a"))] == [*positions, last]
    assert (await store.read(Log("a", ":ä"))).positions[0] == side


async def test_older_keys_are_known(client: Redis) -> None:
    logs = [Log("a"), Log("a", ":übung"), Log("a", "😀")]
    first = [await append(client, log, b"1", key="k|1 ö") for log in logs]
    store = RedisStore(client)
    for log, position in zip(logs, first, strict=True):
        known = await store.commit("a", [Append(log.name, [b"2"])], key=Key.of(log, "k|1 ö"))
        assert (known.positions, known.replayed) == ((position,), True)
        assert len(await store.read(log)) == 1
    assert not (await store.commit("a", [Append("main", [b"2"])], key=Key("k|1 ö"))).replayed
    other = Key.of(Log("a", "other"), "k|1 ö", b"digest")
    for replayed in (False, True):
        done = await store.commit("a", [Append("other", [b"2"])], key=other)
        assert done.replayed is replayed


async def test_a_session_without_a_main_log_gets_one(client: Redis) -> None:
    await append(client, Log("a", "side"), b"1")
    store = RedisStore(client)
    await store.append(Log("a", "side"), [b"2"])
    assert [head.log.name for head in await store.logs("a")] == ["main", "side"]
    assert [head.log.session for head in await store.sessions()] == ["a"]


async def test_positions_of_deleted_logs_do_not_come_back(client: Redis) -> None:
    ahead = 2 * 10**15
    for name in ("main", "side"):
        await client.set(f"{PREFIX}/{{=a}}/past/{name}", ahead)
    store = RedisStore(client)
    assert await store.append(Log("a", "side"), [b"1"]) == ahead + 1
    assert await store.append(Log("a"), [b"1"]) > ahead


async def test_a_time_to_live_goes_on(client: Redis) -> None:
    await append(client, Log("a"), b"1", key="k", ttl=500)
    await RedisStore(client).append(Log("a", "side"), [b"1"])
    for key in await client.keys(f"{PREFIX}/{{=a}}/*"):
        assert 0 < await client.ttl(key) <= 500, key


async def test_both_lists_are_one(client: Redis) -> None:
    store = RedisStore(client)
    for n in range(30):
        if n % 3:
            await append(client, Log(f"s{n}"), b"1")
        else:
            await store.append(Log(f"s{n}"), [b"1"])
    await append(client, Log("s1"), b"2")
    expected = ["s1", *(f"s{n}" for n in reversed(range(30)) if n != 1)]
    assert [head.log.session for head in await store.sessions()] == expected
    assert [head.log.session for head in await store.sessions(oldest=True)] == expected[::-1]
    await append(client, Log("s2"), b"2")  # it runs on
    assert (await store.sessions(limit=1))[0].log.session == "s2"
    assert not await client.keys(f"{PREFIX}/sessions/*")


async def test_the_older_list_empties_without_a_listing(client: Redis) -> None:
    await asyncio.gather(*(append(client, Log(f"s{n}"), b"1", ttl=1) for n in range(100)))
    await append(client, Log("lasting"), b"1")
    await asyncio.sleep(1.2)
    store = RedisStore(client)
    # A write looks at the entries of one of 16 keys, each at about one of 128 writes.
    for _ in range(50):
        for _ in range(100):
            await store.append(Log("busy"), [b"1"])
        if not await client.keys(f"{PREFIX}/sessions/*"):
            break
    else:
        raise AssertionError("5,000 writes have left entries")
    shard = Keys(PREFIX, is_cluster=False).shard("")
    assert await client.zrange(shard, 0, -1) == [b"lasting", b"busy"]


async def test_a_cluster_takes_the_older_list_over(redis_cluster: RedisCluster) -> None:
    with redis_cluster.client() as client:
        moment = time.time_ns() // 1000
        for n in range(40):
            stem = f"{PREFIX}/{{=s{n}}}"
            at = str(moment + n)
            client.hset(f"{stem}/heads", "hmain", f"{at} {at} {at} 1 {at}")
            client.rpush(f"{stem}/records/main", f"{at}payload")
            client.zadd(older_shard(f"s{n}"), {f"s{n}": moment + n})
            client.zadd(older_shard(f"gone{n}"), {f"gone{n}": 10**15})
    async with RedisStore.from_url(redis_cluster.url) as store:
        expected = [f"s{n}" for n in reversed(range(40))]
        assert [head.log.session for head in await store.sessions()] == expected
        await store.append(Log("s7"), [b"more"])
        assert (await store.sessions(limit=1))[0].log.session == "s7"
        record = (await store.read(Log("s7")))[0]
        assert record == Record(moment + 7, b"payload", (moment + 7) / 1e6)
    with redis_cluster.client() as client:
        assert not client.keys(f"{PREFIX}/sessions/*", target_nodes="primaries")
        shards = (client.zrange(key, 0, -1) for key in Keys(PREFIX, is_cluster=True).shards())
        assert sum(map(len, shards)) == 40


async def test_records_with_a_time_are_found_by_position(client: Redis) -> None:
    """They lie among those that an older version has stored."""
    first = await append(client, Log("a"), b"t" * 40)
    store = RedisStore(client)
    times = [1.5, None, 253_402_300_799.0]
    await store.commit("a", [Append("main", [b"t1", b"9" * 40, b"t3"], times=times)])
    await store.append(Log("a"), [b"last"])
    records = list(await store.read(Log("a")))
    assert [record.payload for record in records] == [b"t" * 40, b"t1", b"9" * 40, b"t3", b"last"]
    assert [records[1].created_at, records[3].created_at] == [1.5, 253_402_300_799.0]
    assert records[0].position == first
    for record in records:
        assert list(
            await store.read(Log("a"), after=record.position - 1, limit=1, oldest=True)
        ) == [record]
        assert list(await store.read(Log("a"), before=record.position + 1, limit=1)) == [record]
    await store.remove(Log("a"), after=records[0].position, before=records[3].position)
    assert list(await store.read(Log("a"))) == [records[0], *records[3:]]
    await store.remove(Log("a"), after=records[3].position)
    assert (await store.logs("a"))[0].last == records[3].position
    await store.commit("a", [Forget("main")])
    assert list(await store.read(Log("a"))) == []
