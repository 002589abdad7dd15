"""Older documents are moved into roots: whole, once, and whatever happens on the way."""

import asyncio
import json
from collections.abc import Iterator
from itertools import count

import pytest
from dapr.clients.exceptions import DaprGrpcError

from tests.servers.dapr_sidecar import STORE, Fault, Sidecar, well
from tests.stores.dapr.older_documents import EPOCH, put_older, put_sample
from turnlog.changes import Annotate, Append, Key
from turnlog.errors import SchemaError
from turnlog.records import Log
from turnlog.stores.dapr import DaprStore, at_address
from turnlog.testing.looking import all_sessions, payloads_of

pytestmark = pytest.mark.anyio

MAIN, SIDE = Log("s"), Log("s", "side")


async def check_moved(store: DaprStore) -> None:
    """All that `put_older` stored is there, and its keys are known."""
    assert await payloads_of(store, MAIN) == [b"zero", b"one", b"two"]
    heads = {head.log: head for head in await store.logs("s")}
    assert heads.keys() == {MAIN, SIDE}
    assert (heads[MAIN].length, heads[MAIN].last) == (3, EPOCH + 12)
    assert heads[MAIN].created_at == pytest.approx((EPOCH + 10) / 1e6, abs=1e-6)
    assert (heads[SIDE].length, heads[SIDE].note) == (0, b"note")
    for name, position in [("newest", EPOCH + 12), ("old 0", EPOCH + 10), ("old 39", EPOCH + 10)]:
        again = Append("main", [b"again"])
        done = await store.commit("s", [again], key=Key.of(MAIN, name))
        assert done == ((position,), True)
        assert not (await store.commit("s", [Append(":x", [b"x"])], key=Key(name))).replayed


async def test_what_older_versions_wrote_is_moved(sidecar: Sidecar, store: DaprStore) -> None:
    put_older(sidecar)
    await check_moved(store)
    assert await store.append(MAIN, [b"three"]) > EPOCH + 12
    assert await payloads_of(store, MAIN) == [b"zero", b"one", b"two", b"three"]
    other = await store.commit("s", [Append("side", [b"1"])], key=Key.of(SIDE, "old 0"))
    assert not other.replayed


async def test_nothing_is_left_of_it_after_deletion(sidecar: Sidecar, store: DaprStore) -> None:
    put_older(sidecar)
    await store.append(MAIN, [b"three"])
    await store.delete("s")
    left = {key: kept.data for key, kept in sidecar.component.documents.items()}
    heads = {f"turnlog:s:{name}:head" for name in ("main", "side")}
    shard = {key for key in left if key.startswith("turnlog:~sessions:")}
    assert left.keys() == {"turnlog:s:logs"} | heads | shard
    assert all(json.loads(left[key])[2] == [] for key in heads)
    assert await store.append(MAIN, [b"new"]) > EPOCH + 13
    assert await payloads_of(store, MAIN) == [b"new"]
    assert not (await store.commit("s", [Append("main", [])], key=Key.of(MAIN, "old 0"))).replayed


@pytest.mark.parametrize("happened", [True, False])
async def test_a_process_that_stops_on_the_way(sidecar: Sidecar, *, happened: bool) -> None:
    """At each of its writes; another one finishes the move."""
    for last in count():
        sidecar.component.clear()
        put_older(sidecar)
        writes = count()

        def plan(
            verb: str, keys: list[str], last: int = last, writes: Iterator[int] = writes
        ) -> Fault | None:
            if verb == "GetBulkState" or next(writes) < last:
                return None
            return Fault("PERMISSION_DENIED", happened=happened)

        sidecar.plan = plan
        async with DaprStore(STORE, at_address(sidecar.address)) as store:
            try:
                await store.commit("s", [Annotate("main", b"")])
                stopped = False
            except DaprGrpcError:
                stopped = True
        sidecar.plan = well
        async with DaprStore(STORE, at_address(sidecar.address)) as store:
            await check_moved(store)
            assert await all_sessions(store) == ["s"]
        if not stopped:
            assert last > 10
            break


@pytest.mark.usefixtures("tiny")
async def test_many_move_it_at_once(sidecar: Sidecar) -> None:
    put_older(sidecar)
    addresses = [sidecar.address, sidecar.address.replace("127.0.0.1", "localhost")]
    stores = [DaprStore(STORE, at_address(address)) for address in addresses * 3]
    writes = (store.append(SIDE, [b"%d" % n]) for n, store in enumerate(stores))
    reads = (payloads_of(store, MAIN) for store in stores)
    _, *seen = await asyncio.gather(asyncio.gather(*writes), *reads)
    assert seen == [[b"zero", b"one", b"two"]] * 6
    assert sorted(await payloads_of(stores[0], SIDE)) == [b"%d" % n for n in range(6)]
    for prefix in ("", "s"):
        assert await all_sessions(stores[0], prefix=prefix) == ["s"]
    await stores[0].remove(SIDE)
    await check_moved(stores[0])
    for store in stores:
        await store.aclose()


async def test_the_sample_is_listed_by_many_at_once(sidecar: Sidecar) -> None:
    put_sample(sidecar)
    stores = [DaprStore(STORE, at_address(sidecar.address)) for _ in range(4)]
    pages = await asyncio.gather(*(store.sessions(limit=100) for store in stores))
    assert len(pages[0]) > 4
    assert all(page == pages[0] for page in pages)
    for store in stores:
        await store.aclose()


async def test_older_code_refuses_what_was_moved(sidecar: Sidecar, store: DaprStore) -> None:
    """It unpacks four fields of a session, and twelve of a head or a part of the directory."""
    put_older(sidecar)
    await store.append(MAIN, [b"three"])
    documents = sidecar.component.documents.items()
    changing = {key: kept for key, kept in documents if key.endswith((":head", ":logs"))}
    fields = {key: len(json.loads(kept.data)[2]) for key, kept in changing.items()}
    assert fields.pop("turnlog:s:logs") != 4
    assert {"turnlog:s:main:head", "turnlog:s:side:head"} < fields.keys()
    assert 12 not in fields.values()


async def test_an_older_writer_on_the_way_is_refused(sidecar: Sidecar, store: DaprStore) -> None:
    """It has read the head before that was frozen, and writes afterwards."""
    put_older(sidecar)
    head = "turnlog:s:main:head"
    read = sidecar.component.documents[head].etag
    await store.read(MAIN)
    with pytest.raises(DaprGrpcError, match="etag"):
        await store._sidecar.swap(head, b"[8,[],[]]", read)
    with pytest.raises(DaprGrpcError):
        await store._sidecar.swap("turnlog:s:side:head", b"[8,[],[]]", None)


async def test_a_newer_format_is_refused(sidecar: Sidecar, store: DaprStore) -> None:
    await store.append(MAIN, [b"1"])
    kept = sidecar.component.documents["turnlog:s:logs"]
    moves, writers, body = json.loads(kept.data)
    kept.data = json.dumps([moves, writers, [3, *body[1:]]]).encode()
    with pytest.raises(SchemaError, match="format 3"):
        await store.read(MAIN)
    with pytest.raises(SchemaError, match="format 3"):
        await store.append(MAIN, [b"2"])
    assert json.loads(kept.data)[2][0] == 3
