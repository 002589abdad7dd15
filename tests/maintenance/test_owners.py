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
