"""Commits on Dapr: what they cost, many logs and keys, and what is left of lost races."""

import asyncio
from collections import Counter
from itertools import count

import pytest
from dapr.clients.exceptions import DaprGrpcError

from tests.servers.dapr_sidecar import STORE, Fault, Sidecar, well
from tests.stores.dapr.samples import LOG
from turnlog.changes import Append, Change, Check, Forget, Key, Remove
from turnlog.errors import Conflict
from turnlog.records import Log
from turnlog.stores.clock import now
from turnlog.stores.dapr import DaprStore, at_address, draft
from turnlog.stores.dapr.keys import root_key
from turnlog.testing.looking import payloads_of, seen

pytestmark = pytest.mark.anyio

ROOT = root_key("session")
ITEM = b"x" * 180


async def turn(store: DaprStore) -> None:
    """What a run writes in one turn."""
    lease = Append(":lease", [b"x" * 120], expect=0)
    question: list[Change] = [lease, Check(":queue", 0), Append("main", [ITEM])]
    taken = (await store.commit("session", question)).positions[0]
    given_back = Remove(":lease", expect=taken)
    answer: list[Change] = [Append("main", [ITEM]), Append(":usage", [b"x" * 150]), given_back]
    await store.commit("session", answer)


async def test_a_turn_costs_the_same_after_many(sidecar: Sidecar, store: DaprStore) -> None:
    written: Counter[str] = Counter()

    def plan(verb: str, keys: list[str]) -> Fault | None:
        written[verb] += len(keys)
        return None

    sidecar.plan = plan
    costs = []
    for _ in range(8):
        written.clear()
        before = sidecar.component.bytes_written
        for _ in range(50):
            await turn(store)
        costs.append((sidecar.component.bytes_written - before) / 50)
        assert written["SaveState"] < 2.4 * 50
        assert written["GetBulkState"] <= 2.1 * 50
    assert max(costs) < 11_500


@pytest.mark.usefixtures("tiny")
async def test_many_logs_and_their_ends(sidecar: Sidecar, store: DaprStore) -> None:
    names = [f"branch-{n}" for n in range(60)]
    for name in names:
        await store.commit("session", [Append(name, [name.encode()]), Append("main", [b"1"])])
    for name in names[::7]:
        await store.commit("session", [Append(name, [b"more"])])
        await store.commit("session", [Forget(names[names.index(name) + 1])])
    heads = {head.log.name: head.length for head in await store.logs("session")}
    left = dict.fromkeys(names, 1) | dict.fromkeys(names[::7], 2)
    for name in names[::7]:
        del left[names[names.index(name) + 1]]
    assert heads == left | {"main": 60}
    with pytest.raises(Conflict):
        await store.commit("session", [Check(names[2], 0), Append("main", [b"2"])])
    assert len(sidecar.component.documents[ROOT].data) < 3000
    await store.delete("session")
    assert await _left(sidecar) == [ROOT]


async def test_the_root_of_many_branches_is_small(sidecar: Sidecar, store: DaprStore) -> None:
    for n in range(300):
        await store.append(Log("session", f"branch-{n}"), [ITEM])
    assert len(sidecar.component.documents[ROOT].data) < 12_000
    assert len(await store.logs("session")) == 301
    assert await payloads_of(store, Log("session", "branch-7")) == [ITEM]


@pytest.mark.usefixtures("tiny")
async def test_keys_of_many_writers_are_all_known(sidecar: Sidecar, store: DaprStore) -> None:
    stores = [DaprStore(STORE, at_address(sidecar.address)) for _ in range(6)]

    async def write(number: int) -> None:
        for n in range(25):
            await stores[number].append(LOG, [b"%d" % n], key=Key(f"{number} {n}"))
            await stores[number].append(LOG, [b"-"])

    await asyncio.gather(*map(write, range(6)))
    for number in range(6):
        for n in range(25):
            again = [Append("main", [b"again"])]
            assert (await store.commit("session", again, key=Key(f"{number} {n}"))).replayed
    assert len(await store.read(LOG)) == 300
    await store.delete("session")
    assert await _left(sidecar) == [ROOT]
    for each in stores:
        await each.aclose()


@pytest.mark.usefixtures("tiny")
async def test_brief_keys_are_forgotten_after_a_day(
    sidecar: Sidecar, store: DaprStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(20):
        await store.append(LOG, [b"1"], key=Key(f"brief {n}", brief=True))
        await store.append(LOG, [b"1"], key=Key(f"lasting {n}"))
    monkeypatch.setattr(draft, "now", lambda: now() + 86_401_000_000)
    for n in range(6):
        await store.append(LOG, [b"1"], key=Key(f"next {n}", brief=True))
    documents = [key for key in sidecar.component.documents if key.startswith("turnlog:session:k")]
    assert len(documents) < 32, "of 46"
    for n in range(20):
        nothing = [Append("main", [b"2"])]
        assert (await store.commit("session", nothing, key=Key(f"lasting {n}"))).replayed
    assert not (await store.commit("session", nothing, key=Key("brief 3"))).replayed


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("happened", [True, False])
async def test_a_writer_that_stops_leaves_all_or_nothing(
    sidecar: Sidecar, *, happened: bool
) -> None:
    """At each of the writes of a commit to several logs; its retry makes it once."""
    changes: list[Change] = [
        *(Append("main", [b"new"] * 3, cut=0), Append(":usage", [b"u"])),
        *(Forget("side"), Remove("other", after=1)),
    ]
    for last in count():
        sidecar.component.clear()
        async with DaprStore(STORE, at_address(sidecar.address)) as store:
            for name in ("main", "side", "other", "branch"):
                await store.append(Log("session", name), [b"1", b"2", b"3"], key=Key(name))
            before = await seen(store, "session")
            writes = count()

            def plan(verb: str, _keys: list[str]) -> Fault | None:
                if verb == "GetBulkState" or next(writes) < last:  # noqa: B023 - called within
                    return None
                return Fault("PERMISSION_DENIED", happened=happened)

            sidecar.plan = plan
            try:
                done = await store.commit("session", changes, key=Key("k"))
                stopped = False
            except DaprGrpcError:
                stopped = True
            sidecar.plan = well
            state = await seen(store, "session")
            again = await store.commit("session", changes, key=Key("k"))
            after = await seen(store, "session")
            assert state in (before, after)
            assert again.replayed == (state == after)
            assert await payloads_of(store, LOG) == [b"new"] * 3
        if not stopped and next(writes) <= last:
            assert again == (done.positions, True)
            assert last > 3
            break


async def _left(sidecar: Sidecar) -> list[str]:
    """The keys of all documents but those of the directory."""
    return sorted(key for key in sidecar.component.documents if ":~sessions:" not in key)
