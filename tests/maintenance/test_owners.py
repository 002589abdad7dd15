"""Erasure by owner: exactly the conversations of one owner can't be read any more."""

import os

import pytest

from turnlog import Log, StoredSession
from turnlog.errors import Unreadable
from turnlog.layers.encrypted import Encrypted
from turnlog.layers.encryption.keyring import Keyring
from turnlog.maintenance.owners import destroy_keys_of
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

SAID = {"role": "user", "content": "canary"}


async def test_the_keys_of_one_owner_are_destroyed() -> None:
    store = MemoryStore()
    layer = Encrypted(store, Keyring({"k": os.urandom(32)}))
    sessions = {each: StoredSession(each, layer) for each in ("a1", "b1", "a2", "nobody's")}
    for name, session in sessions.items():
        await session.add_items([SAID])
        if name != "nobody's":
            await session.describe(owner=name[0])
    damaged = StoredSession("damaged", layer)
    await damaged.describe(owner="a")
    heads = {head.log.name: head.note for head in await store.logs("damaged")}
    note = heads["main"]
    await store.annotate(Log("damaged"), note[:-1] + bytes([note[-1] ^ 1]))
    done = await destroy_keys_of(layer, "a")
    assert sorted(done.sessions) == ["a1", "a2"]
    assert list(done.unknown) == ["damaged"]
    for name in ("a1", "a2"):
        with pytest.raises(Unreadable, match="destroyed"):
            await sessions[name].get_items()
    for name in ("b1", "nobody's"):
        assert await sessions[name].get_items() == [SAID]
    again = await destroy_keys_of(layer, "a")
    assert (again.sessions, list(again.unknown)) == ([], ["damaged"])


async def test_what_was_killed_between_the_stores_is_finished() -> None:
    """Whose a half destroyed conversation was can't be read any more."""
    store, keys = MemoryStore(), MemoryStore()
    ring = Keyring({"k": os.urandom(32)})
    layer = Encrypted(store, ring, keys=keys)
    for name in ("a1", "b1"):
        await StoredSession(name, layer).describe(owner=name[0])
    wrapped = await keys.read(Log("a1", ":keys"))
    await layer.destroy_keys("a1")
    await keys.append(Log("a1", ":keys"), list(wrapped.payloads))
    layer = Encrypted(store, ring, keys=keys)
    done = await destroy_keys_of(layer, "a")
    assert (done.sessions, done.unknown) == (["a1"], {})
    assert await keys.read(Log("a1", ":keys")) == []
    assert (await StoredSession("b1", layer).about()).owner == "b"
    assert (await destroy_keys_of(layer, "a")).sessions == []
