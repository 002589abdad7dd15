"""Listing on Dapr: what a page costs, and what it shows while entries move."""

import asyncio
from random import Random

import pytest

from tests.servers.dapr_sidecar import STORE, Fault, Kept, Sidecar, well
from turnlog.records import Log
from turnlog.store import Cursor, Head
from turnlog.stores.clock import now
from turnlog.stores.dapr import DaprStore, at_address, directory, listing
from turnlog.stores.dapr.directory import entered, entries
from turnlog.stores.dapr.documents import packed
from turnlog.stores.dapr.keys import root_key, shard_of
from turnlog.stores.dapr.root import LogHead, Root
from turnlog.stores.dapr.sealed import Range
from turnlog.testing.looking import all_sessions

pytestmark = pytest.mark.anyio

SECOND = 1_000_000


async def fill(sidecar: Sidecar, store: DaprStore, count: int) -> None:
    """Store sessions that were changed one second apart. One in 500 is "rare"."""
    added: dict[int, dict[str, int | None]] = {}
    for n in range(count):
        session = f"user-{n:06d}" if n % 500 else f"rare-{n:06d}"
        time = now() - (count - n) * SECOND
        head = LogHead(time, time)
        root = entered(Root(life=f"{n:012x}", top=time, logs={"main": head}, renewed=time))
        data = packed([1, ["writer"], root.to_json()])
        sidecar.component.documents[root_key(session)] = Kept(data, f"e{n}", None, None)
        changes = added.setdefault(shard_of(session), {})
        changes.update(dict.fromkeys(entries(session, root), 1))
    for number, changes in added.items():
        await store._directory.change(number, changes)


async def pages(store: DaprStore, prefix: str, limit: int, *, oldest: bool) -> list[Head]:
    """Three pages, one after the other."""
    found: list[Head] = []
    after: Cursor | None = None
    for _ in range(3):
        page = await store.sessions(prefix=prefix, after=after, limit=limit, oldest=oldest)
        found += page
        after = page[-1].cursor if page else after
    return found


@pytest.mark.parametrize("oldest", [False, True])
@pytest.mark.parametrize("prefix", ["", "user-", "user-0001", "rare-", "none"])
async def test_a_page_reads_no_more_of_many(
    sidecar: Sidecar, store: DaprStore, prefix: str, *, oldest: bool
) -> None:
    read: dict[int, int] = {}

    def plan(verb: str, keys: list[str]) -> Fault | None:
        if verb == "GetBulkState":
            read[count] += len(keys)
        return None

    for count in (1000, 4000):
        sidecar.component.clear()
        sidecar.plan = well
        await fill(sidecar, store, count)
        read[count] = 0
        sidecar.plan = plan
        page = await store.sessions(prefix=prefix, limit=20, oldest=oldest)
        assert len(page) == min(20, {"rare-": count // 500, "none": 0}.get(prefix, 20))
    assert read[4000] < read[1000] + 100 < 400


@pytest.mark.parametrize("oldest", [False, True])
@pytest.mark.parametrize("rare", [0, 1024])
async def test_pages_are_those_of_all_heads(
    sidecar: Sidecar, store: DaprStore, monkeypatch: pytest.MonkeyPatch, rare: int, *, oldest: bool
) -> None:
    monkeypatch.setattr(listing, "_RARE", rare)
    await fill(sidecar, store, 700)
    chance = Random(4)
    for _ in range(60):
        n = chance.randrange(1, 700)
        if n % 500:
            await store.append(Log(f"user-{n:06d}"), [b"again"])
    for prefix in ("", "user-0002", "rare-"):
        every = [(await store.logs(each))[0] for each in await all_sessions(store, prefix=prefix)]
        every.sort(key=lambda head: head.cursor, reverse=not oldest)
        assert len(every) == {"": 700, "user-0002": 100, "rare-": 2}[prefix]
        assert await pages(store, prefix, 30, oldest=oldest) == every[:90]


async def test_an_entry_moves_only_after_a_while(
    sidecar: Sidecar, store: DaprStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.append(Log("a"), [b"1"])
    sidecar.component.verbs.clear()
    await store.append(Log("a"), [b"2"])
    assert sidecar.component.verbs == {"GetBulkState": 1, "SaveState": 1}
    monkeypatch.setattr(directory, "SLACK", 0)
    sidecar.component.verbs.clear()
    await store.append(Log("a"), [b"3"])
    assert sidecar.component.verbs == {"GetBulkState": 3, "SaveState": 3}
    assert await all_sessions(store) == ["a"]


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("slack", [0, directory.SLACK])
async def test_nobody_is_missed_while_entries_move(
    sidecar: Sidecar, store: DaprStore, monkeypatch: pytest.MonkeyPatch, slack: int
) -> None:
    for module in (directory, listing):
        monkeypatch.setattr(module, "SLACK", slack)
    ids = [f"s{n}" for n in range(12)]
    for each in ids:
        await store.append(Log(each), [b"1"])
    done = asyncio.Event()

    async def write(seed: int) -> None:
        chance = Random(seed)
        async with DaprStore(STORE, at_address(sidecar.address)) as other:
            while not done.is_set():
                await other.append(Log(chance.choice(ids)), [b"2"])

    writers = [asyncio.create_task(write(seed)) for seed in range(3)]
    for _ in range(30):
        heads = await store.sessions(limit=100)
        assert sorted(head.log.session for head in heads) == sorted(ids)
        assert heads == sorted(heads, key=lambda head: head.cursor, reverse=True)
    done.set()
    await asyncio.gather(*writers)


async def test_deleted_sessions_leave_no_entry(sidecar: Sidecar, store: DaprStore) -> None:
    for n in range(40):
        await store.append(Log(f"s{n}"), [b"1"])
    for n in range(40):
        await store.delete(f"s{n}")
    assert await store.sessions() == []
    assert await _entries(store) == []


async def test_expired_sessions_are_not_listed(sidecar: Sidecar) -> None:
    async with DaprStore(STORE, at_address(sidecar.address), ttl=10) as store:
        await fill(sidecar, store, 40)
        for kept in sidecar.component.documents.values():
            kept.expires = sidecar.component.now() + 10 if b"writer" in kept.data else None
        sidecar.component.later += 11
        assert await store.sessions() == []
        assert len(await _entries(store)) == 80, "new ones look the same"


async def test_entries_that_no_root_names_are_removed_after_an_hour(
    sidecar: Sidecar, store: DaprStore
) -> None:
    time = now() - 3601 * SECOND
    lost = entered(Root(life="a" * 12, logs={"main": LogHead(time, time)}))
    await store._directory.update("lost", add=entries("lost", lost))
    await store.append(Log("kept"), [b"1"])
    old = sidecar.component.documents[root_key("kept")]
    await store._directory.update("kept", add={f"t{time}{'b' * 16}kept"})
    assert await all_sessions(store) == ["kept"]
    assert len(await _entries(store)) == 2
    assert await all_sessions(store, prefix="kept") == ["kept"]
    assert sidecar.component.documents[root_key("kept")] is old


async def _entries(store: DaprStore) -> list[str]:
    """All keys in the directory."""
    found: list[str] = []
    inside = Range()
    for number, shard in enumerate(await store._directory.shards()):
        keys = await store._directory.scan(number, shard, inside, 10_000, last=False)
        found += keys.keys
    return found
