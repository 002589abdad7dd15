"""The directory: its blocks, what has expired, and a Cluster, where it lies on other nodes."""

import asyncio
import time
from random import Random
from typing import Any

import pytest
from redis.asyncio import Redis

from tests.servers.redis import RedisCluster
from turnlog import Log
from turnlog.changes import Annotate, Key
from turnlog.store import Cursor
from turnlog.stores.redis import RedisStore, scripts
from turnlog.stores.redis.keys import Keys
from turnlog.stores.redis.scripts import Script

pytestmark = pytest.mark.anyio

SHARD = Keys("agents:session", is_cluster=False).shard("")
BASE = SHARD.removesuffix("times")


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> int:
    """Blocks of few ids, so that they are split and joined all the time."""
    for name in ("COMMIT", "DELETE", "ENTER", "PAGE"):
        script: Script = getattr(scripts, name)
        assert "SIZE = 4096" in script.text
        monkeypatch.setattr(scripts, name, Script(script.text.replace("SIZE = 4096", "SIZE = 8")))
    return 8


async def _blocks(client: Any) -> list[tuple[int, set[str]]]:
    """The beginning of each block, and its ids."""
    starts = await client.zrange(f"{BASE}blocks", 0, -1)
    found = [await client.zrange(f"{BASE}ids/{start.decode()}", 0, -1) for start in starts]
    return [
        (int(start), {each.decode() for each in ids})
        for start, ids in zip(starts, found, strict=True)
    ]


async def _check(client: Any, size: int) -> None:
    """Each id is in the block of its time, and blocks are neither too large nor too many."""
    entries = await client.zrange(SHARD, 0, -1, withscores=True)
    blocks = await _blocks(client)
    starts = [start for start, _ in blocks]
    assert starts == sorted(starts)
    for number, (start, ids) in enumerate(blocks):
        stop = starts[number + 1] if number + 1 < len(starts) else float("inf")
        assert ids == {member.decode() for member, at in entries if start <= at < stop}
        assert len(ids) <= 2 * size
    assert len(blocks) <= 2 + len(entries) / (size / 4)
    known = {f"{BASE}ids/{start:016d}".encode() for start in starts}
    assert set(await client.keys(f"{BASE}ids/*")) <= known


@pytest.mark.parametrize("seed", range(4))
async def test_blocks_hold_what_is_listed(client: Redis, small_blocks: int, seed: int) -> None:
    """Sessions change and are deleted at random; some entries have old and equal times."""
    chance, store = Random(seed), RedisStore(client)
    ids = [f"{'ab'[n % 2]}{n}" for n in range(150)]
    for step in range(600):
        session = chance.choice(ids[: 10 + step // 3])
        kind = chance.random()
        if kind < 0.7:
            await store.append(Log(session), [b"1"])
        elif kind < 0.85:
            await store.delete(session)
        else:
            at = str(chance.choice([10**15, 10**15 + step, time.time_ns() // 1000]))
            await store._server.run(scripts.ENTER, [SHARD], "GT", f"late {step % 40}", at, "")
        if step % 100 == 99:
            await _check(client, small_blocks)
    for session in ids:
        await store.delete(session)
    await _check(client, small_blocks)


@pytest.mark.parametrize("oldest", [False, True])
async def test_pages_of_any_prefix_over_many_blocks(
    client: Redis, small_blocks: int, oldest: bool
) -> None:
    assert small_blocks < 200
    chance, store = Random(1), RedisStore(client)
    ids = [chance.choice(["a", "ab", "b", "ä", "\U0001f600", ""]) + str(n) for n in range(200)]
    ids += [f"rare{n}" for n in range(3)]
    chance.shuffle(ids)
    for session in ids:
        await store.append(Log(session), [b"1"])
    for session in chance.sample(ids, 60):
        await store.append(Log(session), [b"2"])
    heads = await store.sessions(limit=10**6, oldest=oldest)
    cursors = [head.cursor for head in heads]
    assert cursors == sorted(cursors, reverse=not oldest)
    assert sorted(cursor.session for cursor in cursors) == sorted(ids)
    for prefix in ("", "a", "ab", "b", "ä", "rare", "zzz", "a1", "\U0001f600"):
        expected = [head for head in heads if head.log.session.startswith(prefix)]
        for limit in (1, 7, 1000):
            found, after = [], None
            while page := await store.sessions(
                prefix=prefix, after=after, limit=limit, oldest=oldest
            ):
                found += page
                after = page[-1].cursor
            assert found == expected, (prefix, limit)
        after = Cursor(cursors[100].updated_at, "no session")
        behind = [h for h in expected if (h.cursor > after if oldest else h.cursor < after)]
        assert await store.sessions(prefix=prefix, after=after, oldest=oldest) == behind[:50]


@pytest.mark.parametrize("oldest", [False, True])
async def test_equal_times_are_ordered_by_id(
    client: Redis, small_blocks: int, oldest: bool
) -> None:
    assert small_blocks < 60
    store = RedisStore(client)
    ids = [*(f"s{n}" for n in range(60)), "B", "a", "_", "ä", "Ä", "s", "s\x00", "\ue000", "😀"]
    for session in ids:
        await store.append(Log(session), [b"1"])
        at = "1700000000000000"
        await client.hset(f"agents:session/{{={session}}}/logs", "hmain", f"{at} {at} {at} 1")
        await client.zrem(SHARD, session)
    await client.delete(f"{BASE}blocks", *(await client.keys(f"{BASE}ids/*")))
    for session in ids:
        await store._server.run(scripts.ENTER, [SHARD], "GT", session, "1700000000000000", "")
    for prefix in ("", "s", "s1"):
        found, after = [], None
        while page := await store.sessions(prefix=prefix, after=after, limit=4, oldest=oldest):
            found += [head.log.session for head in page]
            after = page[-1].cursor
        wanted = sorted((i for i in ids if i.startswith(prefix)), reverse=not oldest)
        assert found == wanted


async def test_a_page_does_not_read_everything(client: Redis) -> None:
    """The sessions of a common prefix are the ones that were changed longest ago."""
    store = RedisStore(client)
    server, entries = store._server, 40_000
    for first in range(0, entries, 1000):
        given = []
        for n in range(first, first + 1000):
            given += [f"{'old' if n < entries // 2 else 'new'}/{n}", str(10**15 + n), ""]
        await server.run(scripts.ENTER, [SHARD], "GT", *given)
    for prefix, oldest in [("old/", "0"), ("new/", "1"), ("new/39999", "1"), ("nobody", "0")]:
        await client.config_resetstat()
        asked = (prefix, prefix[:-1] + "~", "", "", "50", oldest, "")
        page = await server.run(scripts.PAGE, [SHARD], *asked)
        assert len(page) == {"nobody": 0, "new/39999": 1}.get(prefix, 50)
        stats = await client.info("commandstats")
        reads = {name: each["calls"] for name, each in stats.items() if "range" in name}
        assert sum(reads.values()) <= 24, prefix  # each of at most some hundred entries


# What has expired


async def test_what_has_expired_leaves_nothing_behind(client: Redis) -> None:
    """Nobody lists. Writes to another session remove the entries of what has expired."""
    short = RedisStore(client, ttl=1)
    for n in range(300):
        await short.append(Log(f"short {n} {{%}}"), [b"1"], key=Key("k", brief=n % 2 == 0))
        await short.append(Log(f"short {n} {{%}}", ":usage"), [b"1"])
    await asyncio.sleep(1.1)
    lasting = RedisStore(client)
    for _ in range(250):
        await lasting.append(Log("lasting"), [b"1"])
    kept = [key for key in await client.keys("*") if b"/write/" not in key]
    assert sorted(kept) == sorted(
        [
            *(f"agents:session/{{=lasting}}/{key}".encode() for key in ("heads", "logs")),
            b"agents:session/{=lasting}/records/main",
            *(f"{BASE}{key}".encode() for key in ("blocks", "times")),
            *(key for key in kept if b"ids/" in key),
        ]
    )
    assert await client.zrange(SHARD, 0, -1) == [b"lasting"]
    assert [ids for _, ids in await _blocks(client)] == [{"lasting"}]


async def test_a_session_that_was_renewed_stays_listed(client: Redis) -> None:
    """Another log, another ttl, or none: the entry that looks expired stays."""
    store = RedisStore(client, ttl=600)
    for session in ("side", "longer", "kept"):
        await store.append(Log(session), [b"1"])
    await RedisStore(client, ttl=1000).append(Log("side", ":usage"), [b"1"])
    await RedisStore(client, ttl=1000).commit("longer", [Annotate("main", b"note")])
    for key in await client.keys("*{=kept}*"):
        await client.persist(key)
    await client.zadd(f"{BASE}ends", dict.fromkeys(("side", "longer", "kept"), 1), xx=True)
    for _ in range(100):
        await store.append(Log("busy"), [b"1"])
    listed = {head.log.session for head in await store.sessions()}
    assert listed == {"side", "longer", "kept", "busy"}
    assert set(await client.zrange(f"{BASE}ends", 0, -1)) == {b"side", b"longer", b"busy"}


async def test_a_key_of_an_expired_session_is_forgotten(client: Redis) -> None:
    store = RedisStore(client, ttl=1)
    for key in (Key("k"), Key("b", brief=True)):
        await store.append(Log("a"), [b"1"], key=key)
    await asyncio.sleep(1.1)
    for key in (Key("k"), Key("b", brief=True)):
        assert not (await store.commit("a", [Annotate("main", b"")], key=key)).replayed


async def test_brief_keys_are_kept_for_a_day_and_no_longer_than_two(client: Redis) -> None:
    store = RedisStore(client)
    await store.append(Log("a"), [b"1"], key=Key("b", b"digest", brief=True))
    kept: bytes
    (kept,) = await client.keys("*/brief/*")  # type: ignore[assignment]
    assert 86_400 <= await client.ttl(kept) <= 2 * 86_400
    await client.rename(kept, kept[:-1] + (b"1" if kept.endswith(b"0") else b"0"))  # yesterday
    done = await store.commit("a", [Annotate("main", b"")], key=Key("b", brief=True))
    assert done.replayed
    await store.delete("a")
    assert not await client.keys("*/brief/*")


# On a Cluster


async def test_a_session_that_is_written_while_it_is_deleted_stays_listed(
    redis_cluster: RedisCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process writes between the deletion and the end of its entry on a Cluster."""
    deleting, writing, late = (
        RedisStore.from_url(redis_cluster.url, key_prefix="deleted") for _ in range(3)
    )
    run, unlisted = deleting._run, late._directory.update

    async def slow(script: Script, session: str, *arguments: Any) -> Any:
        if session == "late":
            await late._directory.announce(session)
        answer = await run(script, session, *arguments)
        if session == "known":
            await writing.append(Log(session), [b"2"])
        if session == "late":
            monkeypatch.setattr(late._directory, "update", _nothing)  # it is killed then
            await late.append(Log(session), [b"2"])
            monkeypatch.setattr(late._directory, "update", unlisted)
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


async def _nothing(*_: object) -> None:
    pass


async def test_ids_of_expired_sessions_go_from_a_cluster(redis_cluster: RedisCluster) -> None:
    options: dict[str, Any] = {"key_prefix": "expired"}
    lasting = RedisStore.from_url(redis_cluster.url, **options)
    await asyncio.gather(*(lasting.append(Log(f"lasting {n}"), [b"1"]) for n in range(40)))
    short = RedisStore.from_url(redis_cluster.url, ttl=1, **options)
    await asyncio.gather(*(short.append(Log(f"short {n}"), [b"1"]) for n in range(160)))
    await asyncio.sleep(1.1)
    for n in range(200):
        await lasting.append(Log(f"lasting {n % 40}"), [b"1"])
    keys = Keys("expired", is_cluster=True)
    with redis_cluster.client() as client:
        left = [str(member) for shard in keys.shards() for member in client.zrange(shard, 0, -1)]
    assert sum(each.startswith("b'lasting") for each in left) == 40
    assert sum(each.startswith("b'short") for each in left) == 0
    for store in (lasting, short):
        await store.aclose()


async def test_a_lost_answer_leaves_no_old_place(
    redis_cluster: RedisCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to a write is lost; the second copy of the write brings the list up to date."""
    async with RedisStore.from_url(redis_cluster.url, key_prefix="lost") as store:
        for session in ("a", "b"):
            await store.append(Log(session), [b"1"])
        monkeypatch.setattr("turnlog.stores.redis.store._token", lambda: "the same write")
        with monkeypatch.context() as patch:
            patch.setattr(store._directory, "update", _nothing)
            first = await store.append(Log("a"), [b"2"])
        assert await store.append(Log("a"), [b"2"]) == first
        shard = Keys("lost", is_cluster=True).shard("a")
        with redis_cluster.client() as client:
            noted = client.zscore(shard, "a")
        (head,) = await store.logs("a")
        assert noted == round(head.updated_at * 1e6)
        assert len(await store.read(Log("a"))) == 2


async def test_an_id_without_a_session_goes_from_a_cluster(redis_cluster: RedisCluster) -> None:
    """The process was killed after it had announced the session."""
    async with RedisStore.from_url(redis_cluster.url, key_prefix="announced") as store:
        await store._directory.announce("a")
        await store.append(Log("b"), [b"1"])
        assert [head.log.session for head in await store.sessions()] == ["b"]
        keys = Keys("announced", is_cluster=True)
        shard = keys.shard("a")
        with redis_cluster.client() as client:
            assert client.zrange(shard, 0, -1) == [b"a"]  # it may be about to be written
            client.zadd(shard.removesuffix("times") + "ends", {"a": 1})  # a minute later
            assert [head.log.session for head in await store.sessions()] == ["b"]
            assert client.zrange(shard, 0, -1) == []
