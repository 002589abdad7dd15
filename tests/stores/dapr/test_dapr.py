"""Conversations behind a Dapr sidecar: cost, faults, expiry, and what the SDK stored."""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from agents.extensions.memory import DaprSession as SDKSession
from dapr.aio.clients import DaprClient as AsyncDaprClient
from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprGrpcError

from tests.servers.dapr_sidecar import STORE, Fault, Plan, Sidecar, well
from tests.sizes import LOST_ANSWERS
from turnlog import sync
from turnlog.errors import Conflict, Unreadable
from turnlog.records import Log
from turnlog.sessions.dapr import DAPR_CONSISTENCY_STRONG, DaprSession
from turnlog.stores.dapr import DaprStore, at_address
from turnlog.stores.dapr.sidecar import status
from turnlog.testing.looking import all_sessions, payloads_of, seen

pytest_plugins = ("tests.servers.dapr_fixtures",)
pytestmark = pytest.mark.anyio

LOG = Log("session")


def said(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


@pytest.fixture
async def store(sidecar: Sidecar) -> AsyncIterator[DaprStore]:
    async with DaprStore(STORE, at_address(sidecar.address)) as store:
        yield store


def once(verb: str, *faults: Fault | None, key: str = "") -> Plan:
    """The first calls of `verb` that name a key with `key` in it fail like this."""
    coming = iter(faults)

    def plan(called: str, keys: list[str]) -> Fault | None:
        if called == verb and any(key in each for each in keys):
            return next(coming, None)
        return None

    return plan


# Cost


async def written_in(sidecar: Sidecar, store: DaprStore, turns: int) -> int:
    sidecar.component.clear()
    for n in range(turns):
        turn = [json.dumps(said(f"{who} {n} " + "x" * 150)).encode() for who in "ab"]
        await store.append(LOG, turn[:1])
        await store.append(LOG, turn[1:], key=f"turn {n}")
    return sidecar.component.bytes_written


async def test_bytes_written_grow_linearly(sidecar: Sidecar, store: DaprStore) -> None:
    half = await written_in(sidecar, store, 250)
    whole = await written_in(sidecar, store, 500)
    assert 1.9 < whole / half < 2.15
    assert len(await store.read(LOG)) == 1000


async def test_the_head_has_a_bound(sidecar: Sidecar, store: DaprStore) -> None:
    sizes = []
    for _ in range(40):
        await store.append(LOG, [b"x" * 20] * 100)
        sizes.append(len(sidecar.component.documents["turnlog:session:main:head"].data))
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
    await store.append(LOG, [b"2"], key="k")
    assert sidecar.component.verbs == {"GetBulkState": 1, "SaveState": 1}


async def test_a_log_of_many_megabytes_is_read_in_parts(store: DaprStore) -> None:
    big = [bytes([65 + n]) * 1_000_000 for n in range(12)]
    for payload in big:
        await store.append(LOG, [payload])
    assert await payloads_of(store, LOG) == big


async def test_nothing_is_left_of_what_was_removed(sidecar: Sidecar, store: DaprStore) -> None:
    await store.append(LOG, [b"x"] * 700)
    for n in range(80):
        await store.append(LOG, [b"x"], key=f"k{n}")
    assert len(sidecar.component.documents) > 60
    await store.remove(LOG)
    await store.delete(LOG.session)
    left = sorted(sidecar.component.documents)
    shard = next(key for key in left if key.startswith("turnlog:~sessions:"))
    assert left == ["turnlog:session:logs", "turnlog:session:main:head", shard]


async def test_popping_costs_no_more_than_adding(sidecar: Sidecar) -> None:
    session = DaprSession.from_address(
        "session", state_store_name=STORE, dapr_address=sidecar.address
    )
    async with session:
        items = [said(f"{n} " + "x" * 150) for n in range(600)]
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
        session.add_items([said("hello")])
        assert session.get_items() == [said("hello")]


# Conflicts and lost answers


async def test_a_conflict_is_looked_at_again(sidecar: Sidecar, store: DaprStore) -> None:
    await store.append(LOG, [b"1"])
    aborted = Fault("ABORTED", "possible etag mismatch")
    sidecar.plan = once("SaveState", aborted, aborted, key=":head")
    await store.append(LOG, [b"2"])
    assert await payloads_of(store, LOG) == [b"1", b"2"]


async def test_a_refusal_is_raised_as_it_is(sidecar: Sidecar, store: DaprStore) -> None:
    await store.append(LOG, [b"1"])
    before = await seen(store, LOG.session)
    sidecar.plan = once("SaveState", Fault("PERMISSION_DENIED"), key=":head")
    with pytest.raises(DaprGrpcError, match="made to fail") as caught:
        await store.append(LOG, [b"2"])
    assert status(caught.value) == "PERMISSION_DENIED"
    assert await seen(store, LOG.session) == before
    await store.append(LOG, [b"2"])
    assert await payloads_of(store, LOG) == [b"1", b"2"]


async def test_a_component_that_says_little_of_conflicts(
    sidecar: Sidecar, store: DaprStore
) -> None:
    """The head is made by another, and this one's is refused as Redis refuses it."""
    async with DaprStore(STORE, at_address(sidecar.address)) as other:
        answers = await asyncio.gather(
            *(each.append(LOG, [b"1"], expect=0) for each in [store, other] * 8),
            return_exceptions=True,
        )
    assert sum(isinstance(answer, Conflict) for answer in answers) == 15
    assert await payloads_of(store, LOG) == [b"1"]


@pytest.mark.proof
@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("keyed", [True, False])
async def test_many_lost_answers(sidecar: Sidecar, store: DaprStore, keyed: bool) -> None:
    chance = Random(1)

    def plan(verb: str, keys: list[str]) -> Fault | None:
        lost = verb in {"SaveState", "DeleteState"} and chance.random() < 0.25
        return Fault("UNAVAILABLE", happened=chance.random() < 0.85) if lost else None

    sidecar.plan = plan
    for n in range(LOST_ANSWERS):
        await store.append(LOG, [b"%d" % n, b"-%d" % n], key=f"k{n}" if keyed else None)
    sidecar.plan = well
    expected = [payload for n in range(LOST_ANSWERS) for payload in (b"%d" % n, b"-%d" % n)]
    assert await payloads_of(store, LOG) == expected


async def test_an_answer_that_was_lost_among_other_writers(
    sidecar: Sidecar, store: DaprStore
) -> None:
    chance = Random(2)

    def plan(verb: str, keys: list[str]) -> Fault | None:
        lost = verb == "SaveState" and chance.random() < 0.2
        return Fault("UNAVAILABLE", happened=chance.random() < 0.8) if lost else None

    await store.append(LOG, [b"first"])
    sidecar.plan = plan
    stores = [DaprStore(STORE, at_address(sidecar.address)) for _ in range(6)]
    await asyncio.gather(
        *(each.append(LOG, [b"%d" % n]) for n in range(10) for each in stores),
    )
    sidecar.plan = well
    found = await payloads_of(store, LOG)
    assert sorted(found) == sorted([b"first", *[b"%d" % n for n in range(10)] * 6])
    for each in stores:
        await each.aclose()


async def test_an_attempt_that_arrives_late_gives_the_answer(
    sidecar: Sidecar, store: DaprStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt times out, and is stored just before the second."""
    swap = store._sidecar.swap
    attempts: list[tuple[Any, ...]] = []

    async def late(*document: Any, **options: Any) -> None:
        if document[0] != "turnlog:session:main:head":
            return await swap(*document, **options)
        attempts.append(document)
        if len(attempts) == 1:
            sidecar.plan = once("SaveState", Fault("DEADLINE_EXCEEDED"))
        else:
            await swap(*attempts[0])
        return await swap(*document)

    monkeypatch.setattr(store._sidecar, "swap", late)
    position = await store.append(LOG, [b"1"])
    assert len(attempts) == 2
    assert (await store.read(LOG)).positions == [position]
    assert await payloads_of(store, LOG) == [b"1"]


async def test_a_write_whose_fate_nobody_can_tell_is_not_repeated(
    sidecar: Sidecar, store: DaprStore
) -> None:
    """The answer is lost, and before the writer looks, many others have written."""
    await store.append(LOG, [b"first"])
    head = "turnlog:session:main:head"
    lost = once("SaveState", Fault("UNAVAILABLE", happened=True), key=head)

    def plan(verb: str, keys: list[str]) -> Fault | None:
        fault = lost(verb, keys)
        if fault is not None:
            sidecar.plan = later
        return fault

    def later(verb: str, keys: list[str]) -> Fault | None:
        if verb == "GetBulkState" and head in keys:
            kept = sidecar.component.documents[head]
            moves, writers, body = json.loads(kept.data)
            others = [f"other{n}" for n in range(len(writers), 32)]
            kept.data = json.dumps([moves + 40, [*others, *others][:32], body]).encode()
            sidecar.plan = well
        return None

    sidecar.plan = plan
    with pytest.raises(DaprGrpcError) as caught:
        await store.append(LOG, [b"second"])
    assert status(caught.value) == "UNAVAILABLE"
    assert await payloads_of(store, LOG) == [b"first", b"second"]


# A sidecar that dies


async def test_a_sidecar_that_dies_and_comes_back(sidecar: Sidecar, store: DaprStore) -> None:
    sessions = [Log(f"s{n}") for n in range(8)]
    acknowledged: dict[Log, list[bytes]] = {log: [] for log in sessions}
    failed: dict[Log, list[bytes]] = {log: [] for log in sessions}

    reasons = set()

    async def write(log: Log) -> None:
        for n in range(30):
            payload = b"%d" % n
            try:
                await store.append(log, [payload])
                acknowledged[log].append(payload)
            except DaprGrpcError as error:
                reasons.add(status(error))
                failed[log].append(payload)

    writers = [asyncio.create_task(write(log)) for log in sessions]
    for _ in range(2):
        await asyncio.sleep(0.05)
        await asyncio.to_thread(sidecar.die)
        await asyncio.sleep(0.05)
        await asyncio.to_thread(sidecar.start)
        await asyncio.sleep(0.2)
    await asyncio.gather(*writers)
    assert reasons <= {"UNAVAILABLE", "CANCELLED"}
    for log in sessions:
        stored = await payloads_of(store, log)
        assert [each for each in stored if each not in failed[log]] == acknowledged[log]
        assert len(set(stored)) == len(stored)


async def test_while_the_sidecar_is_away_the_error_says_so(
    sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turnlog.stores.dapr.sidecar._RETRY_DELAYS", (0.01, 0.02))
    session = DaprSession.from_address(
        "session", state_store_name=STORE, dapr_address=sidecar.address
    )
    await session.add_items([said("1")])
    assert await session.ping()
    sidecar.plan = lambda verb, keys: Fault("UNAVAILABLE")
    assert not await session.ping()
    with pytest.raises(DaprGrpcError):
        await session.add_items([said("2")])
    sidecar.plan = well
    assert await session.get_items() == [said("1")]
    await session.close()
    await session.store.aclose()


async def test_a_document_that_is_lost_is_named(sidecar: Sidecar, store: DaprStore) -> None:
    await store.append(LOG, [b"x"] * 100)
    gone = next(key for key in sidecar.component.documents if ":main:d" in key)
    del sidecar.component.documents[gone]
    with pytest.raises(Unreadable, match=r"record \d+ of log 'main' of session 'session'"):
        await store.read(LOG)


# Time to live


async def test_all_of_a_session_expires_and_no_part_before(sidecar: Sidecar) -> None:
    async with DaprStore(STORE, at_address(sidecar.address), ttl=100) as store:
        await store.append(LOG, [b"old"] * 200)
        await store.append(Log("session", ":usage"), [b"beside"])
        for n in range(20):
            sidecar.component.later += 60
            await age(sidecar, "session", 60)
            await store.append(LOG, [b"%d" % n], key=f"k{n}")
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
    kept = sidecar.component.documents[f"turnlog:{session}:logs"]
    moves, writers, (epoch, logs, entry, renewed) = json.loads(kept.data)
    body = [epoch, logs, entry, renewed - seconds * 1_000_000]
    kept.data = json.dumps([moves, writers, body]).encode()


async def test_every_document_of_a_session_has_a_time_to_live(sidecar: Sidecar) -> None:
    async with DaprStore(STORE, at_address(sidecar.address), ttl=100) as store:
        await store.append(LOG, [b"x"] * 100, key="k")
    for key, kept in sidecar.component.documents.items():
        expected = None if ":~sessions:" in key else 100 if key.endswith(":head") else 200
        assert kept.ttl == expected, key


@pytest.mark.parametrize(
    ("ttl", "error"),
    [(0, ValueError), (-1, ValueError), (2**31, ValueError), (1.5, TypeError), (True, TypeError)],
)
async def test_a_ttl_that_is_not_one(
    blocking_client: DaprClient, ttl: Any, error: type[Exception]
) -> None:
    with pytest.raises(error, match="ttl is"):
        DaprSession("session", STORE, blocking_client, ttl=ttl)


# What the SDK stored


def sdk(client: AsyncDaprClient, session_id: str = "session") -> Any:
    return SDKSession(session_id, state_store_name=STORE, dapr_client=client)


async def test_what_the_sdk_stored_is_adopted(
    sidecar: Sidecar, async_client: AsyncDaprClient
) -> None:
    items = [said(f"é {n}") for n in range(100)]
    await sdk(async_client).add_items(items)
    session = DaprSession("session", STORE, async_client)
    assert await session.get_items() == items
    await session.add_items([said("more")])
    assert await session.pop_item() == said("more")
    assert await session.pop_item() == items[-1]
    assert json.loads(sidecar.component.documents["session:messages"].data) == []
    assert await all_sessions(session.store) == ["session"]
    await session.clear_session()
    assert await session.get_items() == []


@pytest.mark.parametrize("verb", ["add", "pop", "clear", "logs"])
async def test_whatever_comes_first_adopts(async_client: AsyncDaprClient, verb: str) -> None:
    await sdk(async_client).add_items([said("1"), said("2")])
    session = DaprSession("session", STORE, async_client)
    if verb == "add":
        await session.add_items([said("3")])
        assert await session.get_items() == [said("1"), said("2"), said("3")]
    elif verb == "pop":
        assert await session.pop_item() == said("2")
        assert await session.get_items() == [said("1")]
    elif verb == "logs":
        (head,) = await session.store.logs("session")
        assert head.length == 2
    else:
        await session.clear_session()
        assert await session.get_items() == []
        assert await sdk(async_client).get_items() == []


async def test_many_adopt_at_once(sidecar: Sidecar, async_client: AsyncDaprClient) -> None:
    items = [said(str(n)) for n in range(100)]
    await sdk(async_client).add_items(items)
    sessions = [DaprSession("session", STORE, async_client) for _ in range(6)]
    await asyncio.gather(*(session.add_items([said("new")]) for session in sessions))
    assert await sessions[0].get_items() == items + [said("new")] * 6


async def test_adoption_survives_lost_answers(
    sidecar: Sidecar, async_client: AsyncDaprClient
) -> None:
    for seed in range(12):
        name = f"s{seed}"
        sidecar.plan = well
        await sdk(async_client, name).add_items([said("1"), said("2")])
        chance = Random(seed)

        def plan(verb: str, keys: list[str], chance: Random = chance) -> Fault | None:
            lost = verb == "SaveState" and chance.random() < 0.5
            return Fault("UNAVAILABLE", happened=chance.random() < 0.5) if lost else None

        sidecar.plan = plan
        session = DaprSession(name, STORE, async_client)
        while True:
            try:
                await session.add_items([said("3")], key="k")
                break
            except DaprGrpcError:
                continue
        sidecar.plan = well
        assert await session.get_items() == [said("1"), said("2"), said("3")]


async def test_what_the_sdk_adds_while_it_is_adopted_is_adopted_too(
    sidecar: Sidecar, async_client: AsyncDaprClient
) -> None:
    await sdk(async_client).add_items([said("1")])

    def plan(verb: str, keys: list[str]) -> Fault | None:
        if verb == "SaveState" and keys == ["session:messages"]:
            kept = sidecar.component.documents["session:messages"]
            kept.data, kept.etag = json.dumps([json.dumps(said(n)) for n in "12"]).encode(), "new"
            sidecar.plan = well
        return None

    sidecar.plan = plan
    session = DaprSession("session", STORE, async_client)
    assert await session.get_items() == [said("1"), said("2")]


@pytest.mark.parametrize("broken", [b"not json", b'{"a": 1}', b"\xff", b"[1, "])
async def test_a_broken_array_is_left_alone(
    sidecar: Sidecar,
    async_client: AsyncDaprClient,
    broken: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await async_client.save_state(STORE, "session:messages", broken)
    session = DaprSession("session", STORE, async_client)
    with pytest.raises(ValueError, match="can't be read"):
        await session.add_items([said("1")])
    assert await session.get_items() == []
    assert await session.pop_item() is None
    assert sidecar.component.documents["session:messages"].data == broken
    assert "can't be read" in caplog.text
    await session.clear_session()
    await session.add_items([said("1")])
    assert await session.get_items() == [said("1")]


async def test_entries_that_are_no_text_or_no_item(async_client: AsyncDaprClient) -> None:
    entries = [json.dumps(said("1")), "broken", said("2"), 7]
    await async_client.save_state(STORE, "session:messages", json.dumps(entries))
    session = DaprSession("session", STORE, async_client)
    assert await session.get_items() == [said("1"), said("2")]
    assert len(await session.store.read(LOG)) == 4


async def test_ids_that_look_like_keys_of_the_sdk(async_client: AsyncDaprClient) -> None:
    ids = ["a", "a:messages", "a:metadata", "turnlog:a", "turnlog:a:main", "A", "a||b", "a%7c"]
    for each in ids:
        await DaprSession(each, STORE, async_client).add_items([said(each)])
    await sdk(async_client, "turnlog:a:main").add_items([said("the SDK's")])
    for each in ids:
        assert await DaprSession(each, STORE, async_client).get_items() == [said(each)]


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
    await asyncio.gather(*(first.add_items([said(str(n))]) for n in range(30)))
    assert len(await first.get_items()) == 30
    assert len(await second.get_items()) == 1


async def test_a_client_that_was_handed_in_stays_open(async_client: AsyncDaprClient) -> None:
    async with DaprSession("session", STORE, async_client) as session:
        await session.add_items([said("1")])
    assert await session.get_items() == [said("1")]
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
            writes = (store.append(log, [b"%d" % n] * 5, key=f"k{n % 20}") for n in range(40))
            await asyncio.gather(*writes)
            assert len(await store.read(log)) == 100
            await store.remove(log, before=(await store.read(log))[50].position)
            assert len(await store.read(log)) == 50
            assert log.session in await all_sessions(store, prefix=log.session)
        finally:
            await store.delete(log.session)
        assert await store.logs(log.session) == []
