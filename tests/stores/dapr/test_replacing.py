"""Replacing on Dapr: what it costs, what it leaves, and faults at any of its writes."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from random import Random

import pytest
from dapr.clients.exceptions import DaprGrpcError

from tests.servers.dapr_sidecar import STORE, Fault, Sidecar, well
from tests.sizes import LOST_ANSWERS
from tests.stores.dapr.older_documents import put_older
from tests.stores.dapr.samples import LOG
from tests.stores.dapr.test_dapr import age
from turnlog.changes import Append, Change, Forget, Key, Replace
from turnlog.errors import RecordChanged
from turnlog.records import Log
from turnlog.store import Store
from turnlog.stores.dapr import DaprStore, at_address
from turnlog.stores.dapr.keys import root_key
from turnlog.testing.looking import payloads_of, seen

pytestmark = pytest.mark.anyio

ROOT = root_key("session")


async def replace(
    store: Store, new: Callable[[int], bytes], chosen: Sequence[int] | None = None
) -> None:
    """Replace the chosen records of the log, or all: new(n) is for the record of the index n."""
    records = await store.read(LOG)
    chosen = range(len(records)) if chosen is None else chosen
    change = Replace(
        LOG.name,
        [records.positions[n] for n in chosen],
        [new(n) for n in chosen],
        [records.payloads[n] for n in chosen],
    )
    await store.commit(LOG.session, [change])


async def test_it_costs_what_is_replaced(sidecar: Sidecar, store: DaprStore) -> None:
    """Documents with other records are neither read nor written."""
    await store.append(LOG, [b"x" * 600] * 10_000)
    records = await store.read(LOG)
    keys = sorted(sidecar.component.documents)
    asked: list[str] = []

    def plan(verb: str, keys: list[str]) -> Fault | None:
        asked.extend(keys if verb == "GetBulkState" else [])
        return None

    sidecar.plan = plan
    written = sidecar.component.bytes_written
    positions = list(records.positions)[7000:7500]
    change = Replace("main", positions, [b"y" * 600] * 500, [b"x" * 600] * 500)
    await store.commit(LOG.session, [change])
    sidecar.plan = well
    assert len(asked) < 60
    assert sidecar.component.bytes_written - written < 1.5 * 500 * 600
    assert len(sidecar.component.documents) == len(keys)
    payloads = await payloads_of(store, LOG)
    assert payloads == [b"x" * 600] * 7000 + [b"y" * 600] * 500 + [b"x" * 600] * 2500


async def test_ten_thousand_at_once(store: DaprStore) -> None:
    await store.append(LOG, [b"old %d" % n for n in range(12_000)])
    await replace(store, lambda n: b"\xf5 %d" % n)
    assert await payloads_of(store, LOG) == [b"\xf5 %d" % n for n in range(12_000)]


@pytest.mark.usefixtures("tiny")
async def test_nothing_is_left_of_what_was_replaced(sidecar: Sidecar, store: DaprStore) -> None:
    for n in range(60):
        await store.append(LOG, [b"%d" % n])
    number = len(sidecar.component.documents)
    dice = Random(7)
    expected = await payloads_of(store, LOG)
    for round_ in range(20):
        chosen = sorted(dice.sample(range(60), dice.choice([1, 3, 20, 60])))
        for n in chosen:
            expected[n] = b"%d in %d" % (n, round_)
        await replace(store, lambda n: expected[n], chosen)
        assert await payloads_of(store, LOG) == expected
    assert len(sidecar.component.documents) == number
    await store.delete(LOG.session)
    left = {key for key in sidecar.component.documents if ":~sessions:" not in key}
    assert left == {ROOT}


async def test_longer_payloads_go_to_more_documents(sidecar: Sidecar, store: DaprStore) -> None:
    """A message of gRPC holds 4 MB: a document with 32 of these would not fit."""
    await store.append(LOG, [b"%d" % n for n in range(700)])
    large = [b"%d" % n * 100_000 for n in range(700)]
    for start in range(0, 700, 70):
        chosen = range(start, start + 70)
        await replace(store, lambda n: large[n][:200_000], chosen)
    assert await payloads_of(store, LOG) == [payload[:200_000] for payload in large]
    documents = sidecar.component.documents
    assert max(len(kept.data) for kept in documents.values()) < 300_000
    assert len(documents[ROOT].data) < 5000
    newest = await store.read(LOG, limit=3)
    assert [payload[:3] for payload in newest.payloads] == [b"697", b"698", b"699"]
    await replace(store, lambda n: b"%d" % n)
    await store.append(LOG, [b"700"])
    assert await payloads_of(store, LOG) == [b"%d" % n for n in range(701)]
    await store.remove(LOG, after=(await store.read(LOG)).positions[349])
    assert await payloads_of(store, LOG) == [b"%d" % n for n in range(350)]


async def test_the_open_end_is_sealed_when_it_grows(sidecar: Sidecar, store: DaprStore) -> None:
    await store.append(LOG, [b"%d" % n for n in range(20)])
    await replace(store, lambda n: b"x" * 500_000)
    assert len(sidecar.component.documents[ROOT].data) < 3000
    assert await payloads_of(store, LOG) == [b"x" * 500_000] * 20


@pytest.mark.usefixtures("tiny")
async def test_a_log_whose_head_is_not_in_the_root(store: DaprStore) -> None:
    logs = [Log("session", f"branch-{n}") for n in range(20)]
    for log in logs:
        await store.append(log, [b"1", b"2", b"3"])
    first = await store.read(logs[2])
    heads = await store.logs("session")
    change = Replace(logs[2].name, first.positions, [b"one", b"", b"three"], first.payloads)
    await store.commit("session", [change])
    assert await payloads_of(store, logs[2]) == [b"one", b"", b"three"]
    assert await store.logs("session") == heads
    for log in logs[3:]:
        assert await payloads_of(store, log) == [b"1", b"2", b"3"]


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("happened", [True, False])
async def test_a_writer_that_stops_leaves_all_or_nothing(
    sidecar: Sidecar, *, happened: bool
) -> None:
    """At each of the writes of a commit; its retry makes it once."""
    for last in count():
        sidecar.component.clear()
        async with DaprStore(STORE, at_address(sidecar.address)) as store:
            await store.append(LOG, [b"%d" % n for n in range(9)])
            await store.append(Log("session", "side"), [b"1", b"2", b"3"])
            before = await seen(store, "session")
            positions = list((await store.read(LOG)).positions)[1:8:3]
            changes: list[Change] = [
                Replace("main", positions, [b"a", b"b", b"c"], [b"1", b"4", b"7"]),
                *(Append(":usage", [b"u"]), Forget("side")),
            ]
            writes = count()

            def plan(verb: str, _keys: list[str]) -> Fault | None:
                if verb == "GetBulkState" or next(writes) < last:  # noqa: B023 - called within
                    return None
                return Fault("PERMISSION_DENIED", happened=happened)

            sidecar.plan = plan
            try:
                await store.commit("session", changes, key=Key("k"))
                stopped = False
            except DaprGrpcError:
                stopped = True
            sidecar.plan = well
            state = await seen(store, "session")
            again = await store.commit("session", changes, key=Key("k"))
            after = await seen(store, "session")
            assert state in (before, after)
            assert again.replayed == (state == after)
            assert b"".join(await payloads_of(store, LOG)) == b"0a23b56c8"
        if not stopped and next(writes) <= last:
            assert last > 3
            break


@pytest.mark.proof
@pytest.mark.usefixtures("tiny")
async def test_many_lost_answers(sidecar: Sidecar, store: DaprStore) -> None:
    chance = Random(3)

    def plan(verb: str, keys: list[str]) -> Fault | None:
        lost = verb in {"SaveState", "DeleteState"} and chance.random() < 0.25
        return Fault("UNAVAILABLE", happened=chance.random() < 0.85) if lost else None

    await store.append(LOG, [b"0"] * 12)
    sidecar.plan = plan
    for round_ in range(LOST_ANSWERS):
        await replace(store, lambda n: b"%d %d" % (n, round_), range(round_ % 3, 12, 2))  # noqa: B023
        newest = (await payloads_of(store, LOG))[round_ % 3]
        assert newest == b"%d %d" % (round_ % 3, round_)
    sidecar.plan = well
    assert len(await store.read(LOG)) == 12


@pytest.mark.usefixtures("tiny")
async def test_of_many_writers_one_replaces(sidecar: Sidecar, store: DaprStore) -> None:
    """Each counts up, and a reader never sees records of two commits."""
    await store.append(LOG, [b"0"] * 10)
    stores = [DaprStore(STORE, at_address(sidecar.address)) for _ in range(4)]
    done = asyncio.Event()

    async def count_up(store: DaprStore) -> int:
        made = 0
        while made < 5:
            now = int((await store.read(LOG, limit=1)).payloads[0])
            try:
                await replace(store, lambda n: b"%d" % (now + 1))  # noqa: B023 - called at once
                made += 1
            except RecordChanged:
                continue
        return made

    async def look() -> None:
        while not done.is_set():
            assert len(set(await payloads_of(store, LOG))) == 1

    looking = asyncio.create_task(look())
    await asyncio.gather(*map(count_up, stores))
    done.set()
    await looking
    assert len(set(await payloads_of(store, LOG))) == 1
    for each in stores:
        await each.aclose()


async def test_a_replacement_keeps_the_session_longer(sidecar: Sidecar) -> None:
    async with DaprStore(STORE, at_address(sidecar.address), ttl=100) as store:
        await store.append(LOG, [b"old"] * 100)
        for round_ in range(4):
            sidecar.component.later += 60
            await age(sidecar, "session", 60)
            await replace(store, lambda n: b"%d" % round_, range(5))  # noqa: B023 - called at once
        assert await payloads_of(store, LOG) == [b"3"] * 5 + [b"old"] * 95
        sidecar.component.later += 101
        assert await store.read(LOG) == []


async def test_what_an_older_version_stored(sidecar: Sidecar, store: DaprStore) -> None:
    put_older(sidecar)
    records = await store.read(Log("s"))
    change = Replace("main", records.positions, [b"0", b"1", b"2"], records.payloads)
    await store.commit("s", [change])
    assert await payloads_of(store, Log("s")) == [b"0", b"1", b"2"]
