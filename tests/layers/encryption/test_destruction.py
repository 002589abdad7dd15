"""Destruction of keys: nobody reads the conversation any more, and nothing of the keys is left."""

import sqlite3
from base64 import b64encode
from pathlib import Path

import pytest

from tests.layers.encrypting import Unclosed
from tests.layers.encryption.rotating import NEW, OLD, key_records
from turnlog import Log, Store, StoredSession
from turnlog.changes import Append, Remove
from turnlog.errors import BranchNameUsed, Unreadable
from turnlog.layers.encrypted import Encrypted
from turnlog.layers.encryption.keyring import Keyring
from turnlog.store import Call, Layer, T
from turnlog.stores.memory import MemoryStore
from turnlog.stores.sqlite import SQLiteStore

pytestmark = pytest.mark.anyio

SAID = {"role": "user", "content": "canary"}


async def talk(layer: Encrypted, session: str = "s") -> StoredSession:
    stored = StoredSession(session, layer)
    await stored.add_items([SAID])
    await stored.describe(owner="alice")
    return stored


@pytest.mark.stores("memory", "sqlite", "postgres", "redis")
async def test_reads_and_writes_raise_and_deleting_works(any_store: Store) -> None:
    layer = Encrypted(Unclosed(any_store), NEW)
    session, other = await talk(layer), await talk(layer, "other")
    assert await layer.destroy_keys("s")
    for handle in (session, StoredSession("s", Encrypted(Unclosed(any_store), NEW))):
        for act in (handle.get_items, handle.pop_item, handle.about):
            with pytest.raises(Unreadable, match="destroyed"):
                await act()
        with pytest.raises(Unreadable, match="destroyed"):
            await handle.add_items([SAID])
    assert len(await any_store.read(Log("s"))) == 1
    assert await key_records(any_store) == []
    assert await layer.keys_destroyed("s")
    assert not await layer.keys_destroyed("other")
    assert await other.get_items() == [SAID]
    assert not await layer.destroy_keys("s")
    await layer.delete("s")
    await session.add_items([SAID])
    assert await session.get_items() == [SAID]


async def test_another_process_notices_it_at_its_next_write() -> None:
    store = MemoryStore()
    there = await talk(Encrypted(store, NEW))
    await Encrypted(store, NEW).destroy_keys("s")
    with pytest.raises(Unreadable, match="destroyed"):
        await there.add_items([SAID])
    with pytest.raises(Unreadable, match="destroyed"):
        await there.get_items()


async def test_a_conversation_without_keys_is_left_alone() -> None:
    store = MemoryStore()
    layer = Encrypted(store, NEW)
    assert not await layer.destroy_keys("nobody")
    assert await store.sessions() == []
    await StoredSession("plain", store).add_items([SAID])
    assert not await layer.destroy_keys("plain")
    assert await store.read(Log("plain", ":keys")) == []


async def test_a_copy_of_the_records_is_dead_without_the_other_store() -> None:
    store, keys = MemoryStore(), MemoryStore()
    layer = Encrypted(store, NEW, keys=keys)
    await talk(layer)
    ring, records = await store.read(Log("s", ":keys")), await store.read(Log("s"))
    await layer.destroy_keys("s")
    assert await keys.sessions() == []
    backup = MemoryStore()
    await backup.append(Log("s", ":keys"), list(ring.payloads))
    await backup.append(Log("s"), list(records.payloads))
    with pytest.raises(Unreadable, match="or was destroyed there"):
        await StoredSession("s", Encrypted(backup, NEW, keys=keys)).get_items()


async def test_killed_between_the_stores_it_is_finished_later() -> None:
    store, keys = MemoryStore(), MemoryStore()
    await talk(Encrypted(store, NEW, keys=keys))
    wrapped = await keys.read(Log("s", ":keys"))
    await Encrypted(store, NEW, keys=keys).destroy_keys("s")
    await keys.append(Log("s", ":keys"), list(wrapped.payloads))
    assert await Encrypted(store, NEW, keys=keys).destroy_keys("s")
    assert await key_records(keys) == []


async def test_it_is_refused_where_the_other_store_is_not_named() -> None:
    store, keys = MemoryStore(), MemoryStore()
    session = await talk(Encrypted(store, NEW, keys=keys))
    with pytest.raises(Unreadable, match="name the store that has it"):
        await Encrypted(store, NEW).destroy_keys("s")
    assert await session.get_items() == [SAID]


async def test_a_first_write_at_the_same_moment_is_not_acknowledged_and_lost() -> None:
    """Its key lies in the other store already, and is destroyed there."""
    store, keys = MemoryStore(), MemoryStore()
    layer = Encrypted(store, NEW, keys=keys)

    class Destroying(Layer):
        async def around(self, call: Call[T]) -> T:
            if call.verb == "commit":
                await layer.destroy_keys("s")
            return await call()

    writer = StoredSession("s", Encrypted(Destroying(store), NEW, keys=keys))
    with pytest.raises(Unreadable, match="destroyed"):
        await writer.add_items([SAID])
    assert await store.read(Log("s")) == []
    assert await key_records(keys) == []


async def test_a_key_that_is_wrapped_anew_meanwhile_is_dropped() -> None:
    """A rotation writes all keys in the other store anew, at other positions."""
    store, keys = MemoryStore(), MemoryStore()
    await talk(Encrypted(store, OLD, keys=keys))
    [key] = await key_records(keys)
    unused = key._replace(id=key.id % 1000 + 1)
    await keys.append(Log("s", ":keys"), [unused.payload()])

    class Rotating(Layer):
        async def around(self, call: Call[T]) -> T:
            changes = call.args[1] if call.verb == "commit" else None
            if isinstance(changes, list) and isinstance(changes[0], Remove):
                stored = await keys.read(Log("s", ":keys"))
                if stored.positions[0] == 1:
                    await keys.commit("s", [Append(":keys", list(stored.payloads), cut=0)])
            return await call()

    layer = Encrypted(store, OLD, keys=Rotating(keys))
    await layer._keys.drop("s", {unused.id})
    assert [each.id for each in await key_records(keys)] == [key.id]


@pytest.mark.parametrize("ring", [OLD, NEW], ids=["wrong key", "destroyed"])
async def test_it_can_be_cleared_without_a_key(ring: Keyring) -> None:
    store = MemoryStore()
    session = await talk(Encrypted(store, NEW))
    await session.describe(hold=True)
    await session.fork("branch")
    if ring is NEW:
        await Encrypted(store, NEW).destroy_keys("s")
    await StoredSession("s", Encrypted(store, ring)).clear_session()
    heads = {head.log.name: head.length for head in await store.logs("s")}
    assert heads["main"] == 0
    assert "branch" not in heads
    if ring is OLD:
        assert await session.get_items() == []
        assert (await session.about()).hold  # the note can't be read, so it may hold this
        with pytest.raises(BranchNameUsed):
            await session.fork("branch")
        assert (await Encrypted(store, NEW).reseal()).unreadable == 0


async def test_rotation_passes_over_what_was_destroyed() -> None:
    store = MemoryStore()
    layer = Encrypted(store, NEW)
    await talk(layer)
    await layer.destroy_keys("s")
    for rotated in (await layer.rewrap(), await layer.reseal()):
        assert (rotated.destroyed, rotated.changed, rotated.failed) == (1, 0, {})
    assert (await layer.key_counts()).destroyed == 1


async def test_after_the_documented_step_sqlite_files_hold_nothing_of_the_key(
    tmp_path: Path,
) -> None:
    path = tmp_path / "conversations.db"
    async with SQLiteStore(path) as store:
        layer = Encrypted(Unclosed(store), NEW)
        await talk(layer)
        await talk(layer, "other")
        [key], [others] = await key_records(store), await key_records(store, "other")
        assert _holds(tmp_path, key.wrapped)
        await layer.destroy_keys("s")
        with sqlite3.connect(path) as db:
            db.execute("VACUUM")
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        assert not _holds(tmp_path, key.wrapped)
        assert _holds(tmp_path, others.wrapped)
        assert await StoredSession("other", layer).get_items() == [SAID]


def _holds(folder: Path, wrapped: bytes | None) -> bool:
    """Whether a file in `folder` holds a wrapped key, as it is or as base64."""
    assert wrapped is not None
    texts = [each.read_bytes() for each in folder.iterdir()]
    return any(form in text for text in texts for form in (wrapped, b64encode(wrapped)))
