"""Faults of Dapr: conflicts, lost answers, and a sidecar that dies."""

import asyncio
import json
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from dapr.clients.exceptions import DaprGrpcError

from tests.sample_items import user
from tests.servers.dapr_sidecar import STORE, Fault, Sidecar, well
from tests.sizes import LOST_ANSWERS
from tests.stores.dapr.samples import LOG, once
from turnlog.changes import Key
from turnlog.errors import Conflict, StoreUnreachable, Unreadable
from turnlog.records import Log
from turnlog.sessions.dapr import DaprSession
from turnlog.stores.dapr import DaprStore, at_address, cells
from turnlog.stores.dapr.keys import root_key
from turnlog.stores.dapr.sidecar import status
from turnlog.testing.looking import payloads_of, seen

pytestmark = pytest.mark.anyio


# Conflicts and lost answers


async def test_a_conflict_is_looked_at_again(sidecar: Sidecar, store: DaprStore) -> None:
    await store.append(LOG, [b"1"])
    aborted = Fault("ABORTED", "possible etag mismatch")
    sidecar.plan = once("SaveState", aborted, aborted, key=":logs")
    await store.append(LOG, [b"2"])
    assert await payloads_of(store, LOG) == [b"1", b"2"]


async def test_a_refusal_is_raised_as_it_is(sidecar: Sidecar, store: DaprStore) -> None:
    await store.append(LOG, [b"1"])
    before = await seen(store, LOG.session)
    sidecar.plan = once("SaveState", Fault("PERMISSION_DENIED"), key=":logs")
    with pytest.raises(DaprGrpcError, match="made to fail") as caught:
        await store.append(LOG, [b"2"])
    assert status(caught.value) == "PERMISSION_DENIED"
    assert await seen(store, LOG.session) == before
    await store.append(LOG, [b"2"])
    assert await payloads_of(store, LOG) == [b"1", b"2"]


async def test_a_component_that_says_little_of_conflicts(
    sidecar: Sidecar, store: DaprStore
) -> None:
    """The root is made by another, and this one's is refused as Redis refuses it."""
    async with DaprStore(STORE, at_address(sidecar.address), patience=200) as other:
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
        await store.append(LOG, [b"%d" % n, b"-%d" % n], key=Key(f"k{n}") if keyed else None)
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
    stores = [DaprStore(STORE, at_address(sidecar.address), patience=200) for _ in range(6)]
    await asyncio.gather(
        *(each.append(LOG, [b"%d" % n]) for n in range(10) for each in stores),
    )
    sidecar.plan = well
    found = await payloads_of(store, LOG)
    assert sorted(found) == sorted([b"first", *[b"%d" % n for n in range(10)] * 6])
    for each in stores:
        await each.aclose()


async def test_an_attempt_that_failed_while_others_write_very_often(
    sidecar: Sidecar, store: DaprStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They write every four milliseconds, and a cell names its last 32 writers."""
    async with DaprStore(STORE, at_address(sidecar.address), patience=200) as others:
        written: list[bytes] = []

        async def sleep(seconds: float) -> None:
            for _ in range(round(seconds / 0.004)):
                written.append(b"%d" % len(written))
                await others.append(LOG, written[-1:])

        monkeypatch.setattr(cells, "asyncio", SimpleNamespace(sleep=sleep))
        monkeypatch.setattr("random.uniform", lambda _, most: most)
        await store.append(LOG, [b"first"])
        sidecar.plan = once("SaveState", Fault("UNAVAILABLE"), key=root_key("session"))
        await store.append(LOG, [b"mine"])
        assert len(written) >= 50
        assert sorted(await payloads_of(store, LOG)) == sorted([b"first", b"mine", *written])


async def test_an_attempt_that_arrives_late_gives_the_answer(
    sidecar: Sidecar, store: DaprStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt times out, and is stored just before the second."""
    swap = store._sidecar.swap
    attempts: list[tuple[Any, ...]] = []

    async def late(*document: Any, **options: Any) -> None:
        if document[0] != root_key("session"):
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
    root = root_key("session")
    lost = once("SaveState", Fault("UNAVAILABLE", happened=True), key=root)

    def plan(verb: str, keys: list[str]) -> Fault | None:
        fault = lost(verb, keys)
        if fault is not None:
            sidecar.plan = later
        return fault

    def later(verb: str, keys: list[str]) -> Fault | None:
        if verb == "GetBulkState" and root in keys:
            kept = sidecar.component.documents[root]
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


async def test_while_the_sidecar_is_away_the_error_says_so(sidecar: Sidecar) -> None:
    session = DaprSession.from_address(
        "session", state_store_name=STORE, dapr_address=sidecar.address, patience=0.2
    )
    await session.add_items([user("1")])
    assert await session.ping()
    sidecar.plan = lambda verb, keys: Fault("UNAVAILABLE")
    assert not await session.ping()
    with pytest.raises(StoreUnreachable, match=r"^Dapr at "):
        await session.add_items([user("2")])
    sidecar.plan = well
    assert await session.get_items() == [user("1")]
    await session.close()
    await session.store.aclose()


async def test_a_document_that_is_lost_is_named(sidecar: Sidecar, store: DaprStore) -> None:
    await store.append(LOG, [b"x"] * 100)
    gone = next(key for key in sidecar.component.documents if ":main:d" in key)
    del sidecar.component.documents[gone]
    with pytest.raises(Unreadable, match=r"record \d+ of log 'main' of session 'session'"):
        await store.read(LOG)
