"""Rotation of keys: nothing is lost, it can be done again, and it skips nothing silently."""

import pytest

from tests.layers.encryption.rotating import BOTH, NEW, OLD, RAW, key_records, sealing_keys
from turnlog import Log, Store, StoredSession
from turnlog.changes import Replace
from turnlog.errors import Unreadable
from turnlog.layers.encrypted import Encrypted
from turnlog.layers.encryption.keyring import Keyring
from turnlog.layers.encryption.resealing import BATCH
from turnlog.layers.encryption.rotated import Rotated
from turnlog.store import Head, Layer
from turnlog.stores.memory import MemoryStore
from turnlog.testing import Failing, Failure

pytestmark = pytest.mark.anyio

ITEMS = [{"role": "user", "content": f"canary {number}"} for number in range(5)]


async def filled(store: Store, *sessions: str) -> None:
    """Give conversations items, a note and a branch, under the old key."""
    layer = Encrypted(store, OLD)
    for session in sessions or ("s",):
        stored = StoredSession(session, layer)
        await stored.add_items(ITEMS)
        await stored.describe(title="canary")
        await stored.fork("branch")


async def check_filled(store: Store, *sessions: str, ring: object = NEW) -> None:
    layer = Encrypted(store, ring)  # type: ignore[arg-type] # one of the rings
    for session in sessions or ("s",):
        stored = StoredSession(session, layer)
        assert await stored.get_items() == ITEMS
        assert (await stored.about()).title == "canary"
        assert [each.name for each in await stored.branches()] == ["main", "branch"]
        await stored.switch_to("branch")
        assert await stored.get_items() == ITEMS


@pytest.mark.stores("memory", "sqlite")
async def test_wrapped_anew_the_old_key_is_not_needed_any_more(any_store: Store) -> None:
    await filled(any_store, "a", "b")
    before = {each: await any_store.read(Log(each)) for each in "ab"}
    layer = Encrypted(any_store, BOTH)
    counts = await layer.key_counts()
    assert (counts.conversations, counts.data_keys) == ({"old": 2}, {"old": 2})
    rotated = await layer.rewrap()
    assert (rotated.conversations, rotated.changed, rotated.keys) == (2, 2, 2)
    assert (await layer.key_counts()).conversations == {"new": 2}
    assert {each: await any_store.read(Log(each)) for each in "ab"} == before
    await check_filled(any_store, "a", "b")
    again = await layer.rewrap()
    assert (again.conversations, again.changed) == (2, 0)


@pytest.mark.stores("memory", "sqlite")
async def test_sealed_anew_nothing_is_left_under_the_old_data_key(any_store: Store) -> None:
    await filled(any_store)
    [old] = await key_records(any_store)
    heads = await any_store.logs("s")
    rotated = await Encrypted(any_store, BOTH).reseal()
    assert (rotated.changed, rotated.keys, rotated.unreadable) == (1, 1, 0)
    [new] = await key_records(any_store)
    assert new.id != old.id
    assert await sealing_keys(any_store) == {new.id}
    await check_filled(any_store)
    kept = {each.log: each for each in await any_store.logs("s")}
    for head in heads:  # a Replace changes no head; that of "main" has a note that was sealed anew
        if head.log.name not in (":keys", "main"):
            assert kept[head.log] == head


async def test_several_batches_keep_order_and_places() -> None:
    store = MemoryStore()
    layer = Encrypted(store, OLD)
    payloads = [b"%d" % number for number in range(2 * BATCH + 7)]
    for start in range(0, len(payloads), 300):
        await layer.append(Log("s"), payloads[start : start + 300])
    positions = (await store.read(Log("s"))).positions
    rotated = await Encrypted(store, BOTH).reseal("s")
    assert rotated.records == len(payloads)
    records = await Encrypted(store, NEW).read(Log("s"))
    assert (list(records.payloads), records.positions) == (payloads, positions)


async def test_what_was_made_since_the_work_began_is_skipped() -> None:
    store = MemoryStore()
    await filled(store, "a", "b")
    layer = Encrypted(store, BOTH)
    [[first], [second]] = [await key_records(store, each) for each in "ab"]
    before = max(first.at, second.at) + 1e-6
    await layer.reseal("a", before=before)
    assert (await layer.reseal(before=before)).changed == 1
    assert (await layer.reseal(before=before)).changed == 0


@pytest.mark.parametrize("calls", range(1, 9))
async def test_stopped_at_any_commit_it_is_finished_without_another_key(calls: int) -> None:
    store, left = MemoryStore(), calls

    def plan(verb: str) -> Failure | None:
        nonlocal left
        left -= verb == "commit"
        return Failure(OSError("stopped")) if verb == "commit" and left < 0 else None

    await filled(store)
    ids = {each.id for each in await key_records(store)}
    failing = Failing(store, plan)
    stopped = False
    try:
        await Encrypted(failing, BOTH).reseal()
    except OSError:
        stopped = True
    made = {each.id for each in await key_records(store)} - ids
    await check_filled(store, ring=BOTH)
    await Encrypted(store, BOTH).reseal(before=0.0)
    [last] = await key_records(store)
    assert made == {last.id}
    assert await sealing_keys(store) == {last.id}
    await check_filled(store)
    assert stopped == (calls < 7)


async def test_a_record_that_cant_be_opened_stays_with_its_key() -> None:
    store = MemoryStore()
    await filled(store)
    [old] = await key_records(store)
    records = await store.read(Log("s"))
    damaged = records.payloads[1][:-1] + bytes([records.payloads[1][-1] ^ 1])
    position = records.positions[1]
    change = Replace("main", [position], [damaged], [records.payloads[1]])
    await store.commit("s", [change])
    rotated = await Encrypted(store, BOTH).reseal()
    assert rotated.unreadable == 1
    assert (await store.read(Log("s"))).payloads[1] == damaged
    new = {each.id for each in await key_records(store)} - {old.id}
    assert await sealing_keys(store) == {old.id, *new}
    await store.commit("s", [Replace("main", [position], [records.payloads[1]], [damaged])])
    assert (await Encrypted(store, BOTH).reseal(before=0.0)).unreadable == 0
    assert await sealing_keys(store) == new == {each.id for each in await key_records(store)}
    await check_filled(store, ring=BOTH)


async def test_plain_records_are_sealed_where_they_are_read() -> None:
    store = MemoryStore()
    plain = StoredSession("s", store)
    await plain.add_items(ITEMS)
    await plain.describe(title="canary")
    await plain.fork("branch")
    refused = await Encrypted(store, NEW).reseal()
    assert (refused.changed, [*refused.failed]) == (0, ["s"])
    rotated = await Encrypted(store, NEW, reads="ours+plain").reseal()
    assert (rotated.changed, rotated.keys) == (1, 1)
    assert 0 not in await sealing_keys(store)
    await check_filled(store)


async def test_a_key_that_is_missing_stops_one_conversation_only() -> None:
    store = MemoryStore()
    await filled(store, "a")
    await StoredSession("b", Encrypted(store, NEW)).add_items(ITEMS)
    for work in (Encrypted(store, NEW).rewrap, Encrypted(store, NEW).reseal):
        rotated = await work()
        assert list(rotated.failed) == ["a"]
        assert rotated.conversations == 2
        with pytest.raises(Unreadable, match="'old'"):
            await work("a")
    await check_filled(store, "a", ring=OLD)


async def test_a_wrong_ring_adds_no_data_key() -> None:
    """Not even under the same id: a newest key that the right ring can't unwrap stops writers."""
    store = MemoryStore()
    await filled(store)
    before = await key_records(store)
    wrong = Encrypted(store, Keyring({"old": RAW["new"]}))
    for work in (wrong.rewrap, wrong.reseal):
        rotated = await work()
        assert (rotated.changed, rotated.keys, [*rotated.failed]) == (0, 0, ["s"])
    assert (await wrong.key_counts()).conversations == {"old (another key)": 1}
    assert await key_records(store) == before
    await check_filled(store, ring=OLD)


async def test_it_can_be_stopped_after_a_conversation() -> None:
    store = MemoryStore()
    await filled(store, "a", "b", "c")
    seen: list[int] = []

    def progress(rotated: Rotated) -> bool:
        seen.append(rotated.conversations)
        return rotated.conversations == 2

    assert (await Encrypted(store, BOTH).rewrap(progress=progress)).changed == 2
    assert seen == [1, 2]
    assert (await Encrypted(store, BOTH).rewrap(prefix="c")).changed == 1


async def test_keys_in_another_store_are_rotated_there() -> None:
    store, keys = MemoryStore(), MemoryStore()
    await StoredSession("s", Encrypted(store, OLD, keys=keys)).add_items(ITEMS)
    layer = Encrypted(store, BOTH, keys=keys)
    await layer.rewrap()
    assert (await layer.key_counts()).conversations == {"new": 1}
    [old] = await key_records(keys)
    await layer.reseal()
    [new], [there] = await key_records(store), await key_records(keys)
    assert (new.wrapped, new.id) == (None, there.id)
    assert new.id != old.id
    assert await StoredSession("s", Encrypted(store, NEW, keys=keys)).get_items() == ITEMS


async def test_a_key_left_in_the_other_store_is_dropped_later() -> None:
    store, keys = MemoryStore(), MemoryStore()
    await StoredSession("s", Encrypted(store, BOTH, keys=keys)).add_items(ITEMS)
    [old] = (await keys.read(Log("s", ":keys"))).payloads
    await Encrypted(store, BOTH, keys=keys).reseal()
    await keys.append(Log("s", ":keys"), [old])  # as if it had been killed before this was dropped
    assert len(await key_records(keys)) == 2
    await Encrypted(store, BOTH, keys=keys).reseal(before=0.0)
    assert len(await key_records(keys)) == 1
    assert await StoredSession("s", Encrypted(store, BOTH, keys=keys)).get_items() == ITEMS


async def test_a_session_and_a_prefix_are_too_much() -> None:
    store = Encrypted(MemoryStore(), NEW)
    for work in (store.rewrap, store.reseal):
        with pytest.raises(ValueError, match="not both"):
            await work("a", prefix="b")


class Meanwhile(Layer):
    """Before the logs are listed for the first time, another process writes."""

    has_written = False

    async def logs(self, session: str) -> list[Head]:
        if not self.has_written:
            self.has_written = True
            other = Encrypted(self.inner, NEW, reads="ours+plain")
            await StoredSession(session, other).add_items(ITEMS)
        return await super().logs(session)


async def test_a_plain_conversation_that_another_process_encrypts_meanwhile() -> None:
    """It is finished under the key that the other one made."""
    inner = MemoryStore()
    await StoredSession("s", inner).add_items(ITEMS)
    rotated = await Encrypted(Meanwhile(inner), NEW, reads="ours+plain").reseal()
    assert (rotated.changed, rotated.failed) == (1, {})
    session = StoredSession("s", Encrypted(inner, NEW))
    assert await session.get_items() == ITEMS * 2
    assert not session.unreadable
    assert len(await key_records(inner)) == 1
