"""Tampered keys: what somebody can do who writes the log ":keys", and what stays as it is."""

import os

import pytest

from tests.layers.encrypting import Unclosed, raw
from tests.layers.encryption.rotating import BOTH, NEW, OLD, RAW
from turnlog import Log, Store, StoredSession
from turnlog.changes import Append, Forget
from turnlog.errors import Unreadable
from turnlog.layers.encrypted import Encrypted
from turnlog.layers.encryption.key_records import KEYS, KeyRecord, key_record_of
from turnlog.layers.encryption.keyring import Keyring
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

SAID = [{"role": "user", "content": text} for text in ("one", "two", "three")]
_COMMIT = b"A" * 43 + b"="
_HUGE = b"1" + b"0" * 400
IMPOSSIBLE = {
    "a huge time": b'{"id":1,"at":%b,"commit":"%b"}' % (_HUGE, _COMMIT),
    "an infinite time": b'{"id":1,"at":1e999,"commit":"%b"}' % _COMMIT,
    "an infinite id": b'{"id":1e999,"at":1,"commit":"%b"}' % _COMMIT,
    "an id of 5 bytes": b'{"id":4294967296,"at":1,"commit":"%b"}' % _COMMIT,
    "a negative id": b'{"id":-1,"at":1,"commit":"%b"}' % _COMMIT,
    "the id 0": b'{"id":0,"at":1,"commit":"%b"}' % _COMMIT,
    "true as id": b'{"id":true,"at":1,"commit":"%b"}' % _COMMIT,
    "text as id": b'{"id":"1","at":1,"commit":"%b"}' % _COMMIT,
    "a short commitment": b'{"id":1,"at":1,"commit":"AA=="}',
    "a huge time of destruction": b'{"destroyed":%b}' % _HUGE,
    "an infinite time of destruction": b'{"destroyed":1e999}',
    "deep JSON": b"[" * 10_000,
    "null": b"null",
    "a list": b'["destroyed"]',
    "no JSON": b"\xf5",
}


async def talk(store: Store, session: str = "s", ring: Keyring = NEW) -> Encrypted:
    layer = Encrypted(Unclosed(store), ring)
    stored = StoredSession(session, layer)
    await stored.add_items(SAID)
    await stored.describe(title="canary")
    return layer


async def stored_keys(store: Store, session: str = "s") -> list[bytes]:
    return list((await store.read(Log(session, KEYS))).payloads)


async def put_keys(store: Store, payloads: list[bytes]) -> None:
    await store.commit("s", [Append(KEYS, payloads, cut=0)])


@pytest.mark.parametrize("name", IMPOSSIBLE)
async def test_an_impossible_record_is_none_and_stops_nobody_else(name: str) -> None:
    bad = IMPOSSIBLE[name]
    assert key_record_of(bad) is None
    store = MemoryStore()
    await talk(store, "other")
    await talk(store)
    good = await stored_keys(store)
    await put_keys(store, [*good, bad])
    layer = Encrypted(store, NEW)
    session = StoredSession("s", layer)
    assert await session.get_items() == SAID
    await session.add_items(SAID)
    for rotated in (await layer.rewrap(), await layer.reseal()):
        assert (rotated.conversations, rotated.failed) == (2, {})
    assert bad in await stored_keys(store)  # it may be repaired one day
    await put_keys(store, [bad])
    layer = Encrypted(store, NEW)
    assert len(await layer.sessions()) == 2
    assert (await layer.key_counts()).without == 1
    for act in (StoredSession("s", layer).get_items, StoredSession("s", layer).pop_item):
        with pytest.raises(Unreadable, match="has no data key"):
            await act()
    assert await layer.destroy_keys("s")
    assert bad not in await stored_keys(store)


@pytest.mark.stores("memory", "sqlite", "postgres", "redis")
async def test_without_its_keys_a_conversation_gets_no_new_one(any_store: Store) -> None:
    """Whatever is written first, such as a lease or another branch."""
    await talk(any_store)
    await any_store.commit("s", [Forget(KEYS)])
    before = await raw(any_store, "s")
    for log in ("main", "branch", ":lease", ":usage"):
        layer = Encrypted(Unclosed(any_store), NEW)
        for write in (layer.append(Log("s", log), [b"1"]), layer.annotate(Log("s", log), b"1")):
            with pytest.raises(Unreadable, match="has no data key"):
                await write
    with pytest.raises(Unreadable, match="has no data key"):
        await StoredSession("s", layer).get_items()
    assert await raw(any_store, "s") == before


async def test_a_note_alone_keeps_a_new_key_away() -> None:
    store = MemoryStore()
    await Encrypted(store, NEW).annotate(Log("s"), b"canary")
    await store.commit("s", [Forget(KEYS)])
    with pytest.raises(Unreadable, match="has no data key"):
        await Encrypted(store, NEW).append(Log("s", "branch"), [b"1"])


async def test_the_keys_of_another_conversation_are_told() -> None:
    store = MemoryStore()
    await talk(store)
    await talk(store, "other")
    good = await stored_keys(store)
    await put_keys(store, await stored_keys(store, "other"))
    before = await raw(store, "s")
    session = StoredSession("s", Encrypted(store, NEW))
    for act in (session.get_items(), session.get_items(1), session.pop_item(), session.about()):
        with pytest.raises(Unreadable, match="copied from another conversation"):
            await act
    assert await raw(store, "s") == before
    await put_keys(store, good)
    assert await StoredSession("s", Encrypted(store, NEW)).get_items() == SAID


async def test_older_keys_never_make_a_conversation_look_empty() -> None:
    """Those of a backup from before the data key was made anew."""
    store = MemoryStore()
    layer = await talk(store)
    older = await stored_keys(store)
    await layer.reseal("s")
    newer = await stored_keys(store)
    await put_keys(store, older)
    before = await raw(store, "s")
    for read in (
        Encrypted(store, NEW).read(Log("s")),
        Encrypted(store, NEW).read(Log("s"), limit=1),
    ):
        with pytest.raises(Unreadable, match="none of the data keys that sealed it"):
            await read
    assert await raw(store, "s") == before
    await put_keys(store, newer)
    assert await StoredSession("s", Encrypted(store, NEW)).get_items() == SAID


async def test_what_an_older_key_has_sealed_is_left_out_beside_newer_records() -> None:
    store = MemoryStore()
    await talk(store)
    other = MemoryStore()
    await talk(other)
    await store.append(Log("s"), [*(await other.read(Log("s"))).payloads])
    session = StoredSession("s", Encrypted(store, NEW))
    assert await session.get_items() == SAID
    assert len(session.unreadable) == 3


async def test_a_reseal_drops_no_key_that_can_not_be_read() -> None:
    store = MemoryStore()
    layer = await talk(store)
    [good] = await stored_keys(store)
    await layer.reseal("s")
    [newest] = await stored_keys(store)
    await put_keys(store, [good[:-1], newest])
    rotated = await Encrypted(store, NEW).reseal("s")
    assert rotated.unreadable == 0
    assert (await stored_keys(store))[0] == good[:-1]
    assert await StoredSession("s", Encrypted(store, NEW)).get_items() == SAID


@pytest.mark.parametrize(
    "ring", [OLD, Keyring({"new": RAW["old"]})], ids=["unknown id", "another key under the id"]
)
async def test_who_can_not_read_a_conversation_can_not_give_it_a_key(ring: Keyring) -> None:
    """A newer key under their key would keep everybody else from writing."""
    store = MemoryStore()
    await talk(store)
    before = await raw(store, "s")
    with pytest.raises(Unreadable):
        await Encrypted(store, ring).reseal("s")
    assert list((await Encrypted(store, ring).reseal()).failed) == ["s"]
    assert await raw(store, "s") == before
    session = StoredSession("s", Encrypted(store, BOTH))
    await session.add_items(SAID)
    assert await session.get_items() == SAID * 2


async def test_a_new_key_never_has_the_id_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the older one is lost, with all that it has sealed."""
    store = MemoryStore()
    layer = await talk(store)
    [key] = map(key_record_of, await stored_keys(store))
    assert isinstance(key, KeyRecord)
    drawn = [bytes(4), key.id.to_bytes(4, "big"), b"\0\0\0\1", b"\0\0\0\2"]
    real = os.urandom
    monkeypatch.setattr(
        os, "urandom", lambda count: drawn.pop(0) if count == 4 and drawn else real(count)
    )
    await layer.reseal("s")
    [new] = map(key_record_of, await stored_keys(store))
    assert isinstance(new, KeyRecord)
    assert new.id == (2 if key.id == 1 else 1)
    assert await StoredSession("s", Encrypted(store, NEW)).get_items() == SAID
