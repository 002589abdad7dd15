"""The store on Dapr: its cost, expiry, and its clients."""

import asyncio
import json
import os
import secrets
from dataclasses import replace
from typing import Any

import pytest
from dapr.aio.clients import DaprClient as AsyncDaprClient
from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprGrpcError

from tests.sample_items import user
from tests.servers.dapr_sidecar import STORE, Fault, Sidecar
from tests.stores.dapr.samples import LOG, once
from turnlog import sync
from turnlog.changes import Key
from turnlog.records import Log
from turnlog.sessions.dapr import DAPR_CONSISTENCY_STRONG, DaprSession
from turnlog.stores.dapr import DaprStore, at_address
from turnlog.stores.dapr.documents import packed
from turnlog.stores.dapr.keys import root_key
from turnlog.stores.dapr.root import Root
from turnlog.testing.looking import all_sessions, payloads_of

pytestmark = pytest.mark.anyio
ROOT = root_key("session")


# Cost


async def written_in(sidecar: Sidecar, store: DaprStore, turns: int) -> int:
    sidecar.component.clear()
    for n in range(turns):
        turn = [json.dumps(user(f"{who} {n} " + "x" * 150)).encode() for who in "ab"]
        await store.append(LOG, turn[:1])
        await store.append(LOG, turn[1:], key=Key(f"turn {n}"))
    return sidecar.component.bytes_written


async def test_bytes_written_grow_linearly(sidecar: Sidecar, store: DaprStore) -> None:
    half = await written_in(sidecar, store, 250)
    whole = await written_in(sidecar, store, 500)
    assert 1.9 < whole / half < 2.15
    assert len(await store.read(LOG)) == 1000


async def test_the_root_has_a_bound(sidecar: Sidecar, store: DaprStore) -> None:
    sizes = []
    for _ in range(40):
        await store.append(LOG, [b"x" * 20] * 100)
        sizes.append(len(sidecar.component.documents[ROOT].data))
    assert max(sizes[20:]) < max(sizes[:20]) + 500
    assert len(await store.read(LOG)) == 4000


async def test_the_newest_are_read_without_the_rest(sidecar: Sidecar, store: DaprStore) -> None:
    await store.append(LOG, [b"%d" % n for n in range(2000)])
    asked: list[str] = []

    def plan(verb: str, keys: list[str]) -> Fault | None:
        asked.extend(keys)
        return None

    sidecar.plan = plan
    newest = await store.read(LOG, limit=50)
    assert list(newest.payloads) == [b"%d" % n for n in range(1950, 2000)]
    assert len(asked) < 8


async def test_an_append_is_two_calls(sidecar: Sidecar, store: DaprStore) -> None:
    await store.append(LOG, [b"1"])
    sidecar.component.verbs.clear()
    await store.append(LOG, [b"2"], key=Key("k"))
    assert sidecar.component.verbs == {"GetBulkState": 1, "SaveState": 1}


async def test_a_log_of_many_megabytes_is_read_in_parts(store: DaprStore) -> None:
    big = [bytes([65 + n]) * 1_000_000 for n in range(12)]
    for payload in big:
        await store.append(LOG, [payload])
    assert await payloads_of(store, LOG) == big


async def test_nothing_is_left_of_what_was_removed(sidecar: Sidecar, store: DaprStore) -> None:
    await store.append(LOG, [b"x"] * 700)
    for n in range(80):
        await store.append(LOG, [b"x"], key=Key(f"k{n}"))
    assert len(sidecar.component.documents) > 60
    await store.remove(LOG)
    await store.delete(LOG.session)
    left = sorted(sidecar.component.documents)
    shard = next(key for key in left if key.startswith("turnlog:~sessions:"))
    assert left == [ROOT, shard]


async def test_popping_costs_no_more_than_adding(sidecar: Sidecar) -> None:
    session = DaprSession.from_address(
        "session", state_store_name=STORE, dapr_address=sidecar.address
    )
    async with session:
        items = [user(f"{n} " + "x" * 150) for n in range(600)]
        for item in items:
            await session.add_items([item])
        added = sidecar.component.bytes_written
        sidecar.component.verbs.clear()
        assert [await session.pop_item() for _ in items] == items[::-1]
        assert sidecar.component.bytes_written < 2.2 * added
        assert sidecar.component.verbs.total() < 3.5 * len(items)
    await session.store.aclose()


def test_a_blocking_twin(sidecar: Sidecar) -> None:
    make = sync.DaprSession.from_address
    with make("session", state_store_name=STORE, dapr_address=sidecar.address) as session:
        session.add_items([user("hello")])
        assert session.get_items() == [user("hello")]


# Time to live


async def test_all_of_a_session_expires_and_no_part_before(sidecar: Sidecar) -> None:
    async with DaprStore(STORE, at_address(sidecar.address), ttl=100) as store:
        await store.append(LOG, [b"old"] * 200)
        await store.append(Log("session", ":usage"), [b"beside"])
        for n in range(20):
            sidecar.component.later += 60
            await age(sidecar, "session", 60)
            await store.append(LOG, [b"%d" % n], key=Key(f"k{n}"))
            assert len(await store.read(LOG)) == 201 + n
            assert await payloads_of(store, Log("session", ":usage")) == [b"beside"]
        sidecar.component.later += 101
        assert await store.read(LOG) == []
        assert await store.logs("session") == []
        last = await store.append(LOG, [b"new"])
        assert await payloads_of(store, LOG) == [b"new"]
        assert last > 0


async def test_a_failed_renewal_does_not_fail_the_write(
    sidecar: Sidecar, caplog: pytest.LogCaptureFixture
) -> None:
    async with DaprStore(STORE, at_address(sidecar.address), ttl=100) as store:
        await store.append(LOG, [b"x"] * 100)
        await age(sidecar, "session", 60)
        sidecar.plan = once("SaveState", Fault("INTERNAL"), key=":main:d")
        await store.append(LOG, [b"1"])
        assert "was not renewed: INTERNAL" in caplog.text
        sidecar.component.later += 60
        await store.append(LOG, [b"2"])
        sidecar.component.later += 60
        await store.append(LOG, [b"3"])
        sidecar.component.later += 60
        assert (await payloads_of(store, LOG))[-3:] == [b"1", b"2", b"3"]


async def age(sidecar: Sidecar, session: str, seconds: int) -> None:
    """Make it that long ago that the session's documents were last written anew."""
    kept = sidecar.component.documents[root_key(session)]
    moves, writers, body = json.loads(kept.data)
    root = Root.of_json(body)
    aged = replace(root, renewed=root.renewed - seconds * 1_000_000)
    kept.data = packed([moves, writers, aged.to_json()])


async def test_every_document_of_a_session_has_a_time_to_live(sidecar: Sidecar) -> None:
    async with DaprStore(STORE, at_address(sidecar.address), ttl=100) as store:
        await store.append(LOG, [b"x"] * 100, key=Key("k"))
    for key, kept in sidecar.component.documents.items():
        expected = None if ":~sessions:" in key else 100 if key == ROOT else 200
        assert kept.ttl == expected, key


@pytest.mark.parametrize(
    ("ttl", "error", "told"),
    [
        (0, ValueError, "ttl is 0"),
        (-1, ValueError, "ttl is -1"),
        (2**31, ValueError, "ttl is 2147483648"),
        (1.5, TypeError, "ttl must be a whole number of seconds or None, not a float"),
        (True, TypeError, "ttl must be a whole number of seconds or None, not a bool"),
    ],
)
async def test_a_ttl_that_is_not_one(
    blocking_client: DaprClient, ttl: Any, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        DaprSession("session", STORE, blocking_client, ttl=ttl)


# Sessions


async def test_both_clients_see_the_same(
    blocking_client: DaprClient, async_client: AsyncDaprClient
) -> None:
    first = DaprSession("session", STORE, blocking_client)
    second = DaprSession(
        "session",
        state_store_name=STORE,
        dapr_client=async_client,
        consistency=DAPR_CONSISTENCY_STRONG,
        session_settings={"limit": 1},
    )
    await asyncio.gather(*(first.add_items([user(str(n))]) for n in range(30)))
    assert len(await first.get_items()) == 30
    assert len(await second.get_items()) == 1


async def test_a_client_that_was_handed_in_stays_open(async_client: AsyncDaprClient) -> None:
    async with DaprSession("session", STORE, async_client) as session:
        await session.add_items([user("1")])
    assert await session.get_items() == [user("1")]
    assert await session.ping()


async def test_a_consistency_that_is_not_one(async_client: AsyncDaprClient) -> None:
    with pytest.raises(ValueError, match="consistency"):
        DaprSession("session", STORE, async_client, consistency="hopeful")  # type: ignore[arg-type]


async def test_a_store_that_is_not_there_says_so(async_client: AsyncDaprClient) -> None:
    session = DaprSession("session", "nowhere", async_client)
    assert not await session.ping()
    with pytest.raises(DaprGrpcError, match="nowhere"):
        await session.get_items()


@pytest.mark.skipif("TEST_DAPR_ADDRESS" not in os.environ, reason="needs a real sidecar")
async def test_a_real_sidecar() -> None:
    name = os.environ.get("TEST_DAPR_STORE", STORE)
    async with DaprStore(name, at_address(os.environ["TEST_DAPR_ADDRESS"])) as store:
        log = Log(f"turnlog-test-{secrets.token_hex(8)}")
        try:
            writes = (store.append(log, [b"%d" % n] * 5, key=Key(f"k{n % 20}")) for n in range(40))
            await asyncio.gather(*writes)
            assert len(await store.read(log)) == 100
            await store.remove(log, before=(await store.read(log))[50].position)
            assert len(await store.read(log)) == 50
            assert log.session in await all_sessions(store, prefix=log.session)
        finally:
            await store.delete(log.session)
        assert await store.logs(log.session) == []
