"""Encrypted layer: keys, fences, guesses and what a commit costs."""

import asyncio
import copy
import pickle
import threading
from collections.abc import Sequence
from traceback import walk_tb
from typing import Any

import pytest

from tests.layers.encrypting import Marked, Unclosed, raw, raw_payloads
from turnlog import StoredSession
from turnlog.changes import (
    Annotate,
    Append,
    Change,
    Check,
    Committed,
    Forget,
    Key,
    Remove,
    Replace,
)
from turnlog.errors import Conflict, RecordChanged, StoreClosed, Unreadable
from turnlog.layers.encrypted import Encrypted
from turnlog.layers.encryption.header import is_sealed
from turnlog.layers.encryption.key_records import KEYS, Destroyed, KeyRecord, key_record_of
from turnlog.layers.encryption.sealing import DataKey, RawKey
from turnlog.records import Log, Unopened
from turnlog.store import Call, Layer, Store, T
from turnlog.stores.memory import MemoryStore
from turnlog.testing import Failing, Failure, first_calls_of
from turnlog.testing.looking import head_of, payloads_of, seen

pytestmark = pytest.mark.anyio

LOG = Log("s")
KEY_LOG = Log("s", KEYS)


class Watching(Layer):
    """Notes the calls that reach a store."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.calls: list[str] = []

    async def around(self, call: Call[T]) -> T:
        named = [each.name for each in call.args if isinstance(each, Log)]
        self.calls.append(" ".join([call.verb, *named]))
        return await call()


@pytest.fixture
def inner() -> MemoryStore:
    return MemoryStore()


def encrypted(inner: Store, **options: Any) -> Encrypted:
    return Encrypted(inner, options.pop("provider", Marked()), **options)


# What is stored


async def test_only_sealed_bytes_reach_the_store(inner: MemoryStore) -> None:
    store = encrypted(inner)
    await store.append(LOG, [b"canary one", b""])
    await store.annotate(LOG, b"canary two")
    await store.append(LOG.beside("usage"), [b"canary three"])
    for head, records in await seen(inner, "s"):
        if head.log.name != KEYS:
            assert all(map(is_sealed, records.payloads))
            assert not head.note or is_sealed(head.note)
        assert b"canary" not in head.note + b"".join(records.payloads)
    assert [head.log.name for head in await store.logs("s")] == [":usage", "main"]


@pytest.mark.parametrize(
    "change",
    [Append(KEYS, [b"1"]), Remove(KEYS), Annotate(KEYS, b"1"), Forget(KEYS), Check(KEYS, 0)],
    ids=lambda change: type(change).__name__,
)
async def test_the_log_of_the_keys_can_not_be_named(inner: MemoryStore, change: Change) -> None:
    store = encrypted(inner)
    with pytest.raises(ValueError, match="is kept for the keys"):
        await store.commit("s", [change])
    with pytest.raises(ValueError, match="is kept for the keys"):
        await store.read(KEY_LOG)


# What it costs


async def test_calls_of_a_warm_store(inner: MemoryStore) -> None:
    """A turn is one read and two commits, as without encryption."""
    watching = Watching(inner)
    session = StoredSession("s", encrypted(watching))
    for _ in range(2):
        watching.calls.clear()
        async with session.turn("question") as turn:
            await turn.add([{"role": "assistant", "content": "answer"}])
    plain = Watching(MemoryStore())
    without = StoredSession("s", plain)
    for _ in range(2):
        plain.calls.clear()
        async with without.turn("question") as turn:
            await turn.add([{"role": "assistant", "content": "answer"}])
    assert watching.calls == plain.calls


async def test_a_cold_store_reads_the_keys_once(inner: MemoryStore) -> None:
    await encrypted(inner).append(LOG, [b"1"])
    watching = Watching(inner)
    store = encrypted(watching)
    await store.read(LOG)
    await store.append(LOG, [b"2"])
    await store.append(LOG.beside("usage"), [b"2"])
    await store.read(LOG)
    assert watching.calls == ["read main", f"read {KEYS}", "commit", "commit", "read main"]


async def test_after_a_first_write_the_keys_are_known(inner: MemoryStore) -> None:
    watching, provider = Watching(inner), Marked()
    store = encrypted(watching, provider=provider)
    await store.append(LOG, [b"1"])
    await store.append(LOG, [b"2"])
    assert await payloads_of(store, LOG) == [b"1", b"2"]
    assert watching.calls == [f"read {KEYS}", "logs", "commit", "commit", "read main"]
    assert (provider.wrapped, provider.unwrapped) == (1, 0)


async def test_a_pop_does_not_make_the_next_append_fail(inner: MemoryStore) -> None:
    watching = Watching(inner)
    store = encrypted(watching)
    first = await store.append(LOG, [b"1"])
    end = await store.append(LOG, [b"2"])
    await store.remove(LOG, after=first, expect=end)
    watching.calls.clear()
    await store.append(LOG, [b"3"])
    assert watching.calls == ["commit"]


async def test_listing_unwraps_each_key_once(inner: MemoryStore) -> None:
    writer = encrypted(inner)
    for n in range(40):
        await writer.annotate(Log(f"s{n}"), b"note %d" % n)
    provider = Marked()
    store = encrypted(inner, provider=provider)
    for _ in range(2):
        heads = await store.sessions()
        assert {head.note for head in heads} == {b"note %d" % n for n in range(40)}
    assert provider.unwrapped == 40


# First writes


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_many_first_writes_agree_on_one_key(inner: MemoryStore, elsewhere: bool) -> None:
    keys = MemoryStore() if elsewhere else None
    stores = [encrypted(inner, keys=keys and Unclosed(keys)) for _ in range(8)]
    writes = [store.append(LOG, [b"%d" % n], expect=None) for n, store in enumerate(stores)]
    await asyncio.gather(*writes)
    assert len(await payloads_of(inner, KEY_LOG)) == 1
    assert sorted(await payloads_of(stores[0], LOG)) == [b"%d" % n for n in range(8)]
    if keys:
        assert len(await payloads_of(keys, KEY_LOG)) == 1


async def test_a_first_write_makes_one_key_however_often_it_is_tried(inner: MemoryStore) -> None:
    """The ends of both logs are guessed wrong."""
    other = encrypted(inner, reads="ours+plain")
    await inner.append(LOG, [b"plain"])
    await inner.append(LOG.beside("usage"), [b"plain"])
    provider, keys = Marked(), MemoryStore()
    store = encrypted(inner, provider=provider, keys=keys, reads="ours+plain")
    await store.commit("s", [Append("main", [b"1"]), Append(":usage", [b"2"])])
    assert provider.wrapped == 1
    assert len(await payloads_of(keys, KEY_LOG)) == 1
    assert await payloads_of(store, LOG) == [b"plain", b"1"]
    with pytest.raises(Unreadable, match="is not in this store"):
        await other.read(LOG)


async def test_a_conflict_of_a_first_write_leaves_no_key(inner: MemoryStore) -> None:
    keys = MemoryStore()
    store = encrypted(inner, keys=keys)
    with pytest.raises(Conflict):
        await store.append(LOG, [b"1"], expect=7)
    assert await inner.logs("s") == []
    assert await keys.sessions() == []


async def test_a_lost_answer_of_a_first_write(inner: MemoryStore) -> None:
    """The write happened. Neither a repetition nor the next write makes another key."""
    keys = MemoryStore()
    lost = Failing(inner, first_calls_of("commit", Failure(ConnectionError("lost"), happened=True)))
    store = encrypted(lost, keys=keys)
    with pytest.raises(ConnectionError):
        await store.append(LOG, [b"1"], key=Key("k"))
    await store.append(LOG, [b"1"], key=Key("k"))
    await store.append(LOG, [b"2"])
    assert await payloads_of(store, LOG) == [b"1", b"2"]
    assert len(await payloads_of(keys, KEY_LOG)) == 1


async def test_lost_answers_above_and_below(inner: MemoryStore) -> None:
    error = Failure(ConnectionError("lost"), happened=True)
    below = Failing(inner, first_calls_of("commit", error, None, error))
    above = Failing(encrypted(below), first_calls_of("commit", None, error, None))
    for n in range(4):
        for _ in range(6):
            try:
                await above.append(LOG, [b"%d" % n], key=Key(f"k{n}"))
            except ConnectionError:
                continue
            break
    assert await payloads_of(above, LOG) == [b"0", b"1", b"2", b"3"]


# Guesses


async def test_what_another_process_does_is_noticed(inner: MemoryStore) -> None:
    """Deletion, emptying, and the same id written anew, each between two writes of this one."""
    store, other = encrypted(inner), encrypted(inner)
    log = LOG.beside("usage")
    for act in ("append", "remove", "forget", "delete", "anew"):
        await store.append(log, [b"mine"])
        if act == "append":
            await other.append(log, [b"theirs"])
        elif act == "remove":
            await other.remove(log)
        elif act == "forget":
            await other.commit("s", [Forget(log.name)])
        else:
            await other.delete("s")
        if act == "anew":
            await other.append(log, [b"theirs"])
        before = await payloads_of(other, log)
        await store.append(log, [b"again"])
        for each in (store, other):
            assert await payloads_of(each, log) == [*before, b"again"], act


async def test_two_processes_that_guess_do_not_stop_each_other(inner: MemoryStore) -> None:
    stores = [encrypted(inner), encrypted(inner)]

    async def write(store: Store, name: int) -> None:
        for n in range(60):
            await store.append(LOG, [b"%d %d" % (name, n)])

    await asyncio.wait_for(asyncio.gather(*map(write, stores, range(2))), 200)
    found = await payloads_of(stores[0], LOG)
    assert [each for each in found if each[:1] == b"0"] == [b"0 %d" % n for n in range(60)]
    assert [each for each in found if each[:1] == b"1"] == [b"1 %d" % n for n in range(60)]


async def test_threads_with_loops_of_their_own(inner: MemoryStore) -> None:
    store = encrypted(inner)

    async def write(name: int) -> None:
        for n in range(40):
            await store.append(LOG, [b"%d %d" % (name, n)])

    threads = [threading.Thread(target=asyncio.run, args=[write(n)]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert len(set(await payloads_of(store, LOG))) == 160
    assert len(await payloads_of(inner, KEY_LOG)) == 1


# Conditions


async def test_conditions_are_reported_with_the_callers_values(inner: MemoryStore) -> None:
    """In the order of the list, also where an end and a note were guessed."""
    await encrypted(inner).commit(
        "s", [Append("main", [b"1"]), Annotate("main", b"note"), Append("side", [b"1"])]
    )
    end = (await inner.read(LOG)).positions[-1]
    side = (await inner.read(Log("s", "side"))).positions[-1]
    cases: Sequence[tuple[Sequence[Change], tuple[str, object, object]]] = [
        ([Append("main", [b"2"]), Check("side", 9)], ("side", 9, side)),
        ([Append("main", [b"2"], expect=9), Check("side", 9)], ("main", 9, end)),
        ([Append("main", [b"2"]), Annotate("main", b"", b"?")], ("main", b"?", b"note")),
        ([Annotate("main", b"x", b""), Check("side", 9)], ("main", b"", b"note")),
        ([Annotate("main", b"x", b"note"), Check("side", 9)], ("side", 9, side)),
        ([Check("side", 9), Annotate("main", b"x", b"?")], ("side", 9, side)),
        ([Annotate("side", b"x", b"?"), Append("main", [b"2"])], ("side", b"?", b"")),
    ]
    for changes, expected in cases:
        store = encrypted(inner)
        with pytest.raises(Conflict) as caught:
            await store.commit("s", changes)
        error = caught.value
        assert (error.log.name, error.expected, error.actual) == expected
    assert await payloads_of(encrypted(inner), LOG) == [b"1"]
    wrong = Replace("main", [end], [b"x"], [b"?"])
    with pytest.raises(RecordChanged) as changed:
        await encrypted(inner).commit("s", [Append("side", [b"2"]), wrong])
    assert (changed.value.position, changed.value.is_gone) == (end, False)


async def test_notes_that_look_sealed_and_that_are_the_same(inner: MemoryStore) -> None:
    store = encrypted(inner)
    note = b"\xf5T\x01\x01 and more"
    await store.annotate(LOG, note)
    await store.annotate(LOG, note, expect=note)
    await store.annotate(LOG, b"", expect=note)
    assert (await head_of(store, LOG)).note == b""
    await store.annotate(LOG, b"", expect=b"")
    with pytest.raises(Conflict):
        await store.annotate(LOG, b"", expect=note)


async def test_a_note_that_was_replaced_by_a_plain_one_is_not_shown(inner: MemoryStore) -> None:
    store = encrypted(inner)
    await store.annotate(LOG, b"note")
    await inner.annotate(LOG, b"plain")
    note = (await head_of(store, LOG)).note
    assert isinstance(note, Unopened)
    await store.annotate(LOG, b"again", expect=note)
    assert (await head_of(store, LOG)).note == b"again"


async def test_a_plain_record_is_not_replaced_as_if_it_were_sealed(inner: MemoryStore) -> None:
    store = encrypted(inner)
    await store.append(LOG, [b"1"])
    end = await inner.append(LOG, [b"plain"])
    with pytest.raises(RecordChanged):
        await store.commit("s", [Replace("main", [end], [b"x"], [b"plain"])])
    assert (await raw_payloads(inner, LOG))[-1] == b"plain"


@pytest.mark.parametrize("damage", ["a forged base", "plain", "cut"])
@pytest.mark.parametrize("at", range(5))
async def test_a_replaced_record_can_be_read_and_so_can_its_neighbours(
    inner: MemoryStore, damage: str, at: int
) -> None:
    """Also one that could not be opened, amid those of one append."""
    store = encrypted(inner)
    await store.append(LOG, [b"0"])
    await store.append(LOG, [b"1", b"2", b"3"])
    await store.append(LOG, [b"4"])
    stored = await inner.read(LOG)
    good, position = stored[at].payload, stored.positions[at]
    bad = {
        "a forged base": good[:8] + (2**40).to_bytes(8, "big") + good[16:],
        "plain": b"plain",
        "cut": good[:-1],
    }[damage]
    await inner.commit("s", [Replace("main", [position], [bad], [good])])
    unopened = (await store.read(LOG))[at].payload
    assert isinstance(unopened, Unopened)
    await store.commit("s", [Replace("main", [position], [b"new"], [unopened])])
    expected = [b"new" if n == at else b"%d" % n for n in range(5)]
    assert await payloads_of(encrypted(inner), LOG) == expected


async def test_sealing_what_is_plain_amid_an_append_costs_no_neighbour(inner: MemoryStore) -> None:
    store = encrypted(inner, reads="ours+plain")
    await store.append(LOG, [b"0", b"1", b"2", b"3", b"4"])
    stored = await inner.read(LOG)
    positions, old = stored.positions[1:3], list(stored.payloads[1:3])
    await inner.commit("s", [Replace("main", positions, [b"1", b"2"], old)])
    assert (await store.reseal("s")).records == 5
    assert await payloads_of(encrypted(inner), LOG) == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_commit_from_before_the_encryption_is_replayed(inner: MemoryStore) -> None:
    changes = [Append("main", [b"1"]), Append(":usage", [b"2"])]
    first = await inner.commit("s", changes, key=Key("k"))
    store = encrypted(inner, reads="ours+plain")
    assert await store.commit("s", changes, key=Key("k")) == first._replace(replayed=True)
    second = await store.commit("s", changes, key=Key("l"))
    assert await store.commit("s", changes, key=Key("l")) == second._replace(replayed=True)


# Digests of writes with a key


async def test_no_digest_of_plain_text_is_stored(inner: MemoryStore) -> None:
    """Whoever has the database could find out a short text from its digest."""
    seen: list[bytes] = []

    class Digests(Layer):
        async def commit(
            self, session: str, changes: Sequence[Change], *, key: Key | None = None
        ) -> Committed:
            seen.append(key.digest if key else b"")
            return await self.inner.commit(session, changes, key=key)

    store, given = encrypted(Digests(inner)), b"digest of yes"
    for session in ("s", "t"):
        await store.commit(session, [Append("main", [b"yes"])], key=Key("k", given))
        with pytest.raises(Conflict):
            await store.commit(session, [Check("main", -1)], key=Key("unknown", given))
    with pytest.raises(Conflict):
        await store.commit("none", [Check("main", -1)], key=Key("k", given))
    assert given not in seen
    assert seen[0] == seen[1]
    assert seen[2] == seen[3] != seen[0]
    assert seen[4] == b""
    assert await inner.logs("none") == []


async def test_a_write_is_known_by_its_digest_after_rotations(inner: MemoryStore) -> None:
    changes, key, other = [Append("main", [b"yes"])], Key("k", b"digest"), Key("k", b"other")
    first = await encrypted(inner).commit("s", changes, key=key)
    for _ in range(3):
        await encrypted(inner).reseal("s")
        await encrypted(inner).rewrap("s")
        store = encrypted(inner)
        assert await store.commit("s", changes, key=key) == first._replace(replayed=True)
        assert await store.commit("s", [Check("main", -1)], key=key) == first._replace(
            replayed=True
        )
        with pytest.raises(ValueError, match="other contents"):
            await store.commit("s", changes, key=other)
    assert await payloads_of(store, LOG) == [b"yes"]


async def test_a_digest_from_before_the_encryption_is_known(inner: MemoryStore) -> None:
    changes, key, other = [Append("main", [b"1"])], Key("k", b"digest"), Key("k", b"other")
    first = await inner.commit("s", changes, key=key)
    store = encrypted(inner, reads="ours+plain")
    for _ in range(2):
        assert await store.commit("s", changes, key=key) == first._replace(replayed=True)
        with pytest.raises(ValueError, match="other contents"):
            await store.commit("s", changes, key=other)
        await store.append(LOG.beside("usage"), [b"now it has a data key"])
    assert await payloads_of(store, LOG) == [b"1"]


async def test_a_damaged_digest_key_is_told(inner: MemoryStore) -> None:
    await encrypted(inner).append(LOG, [b"1"])
    await encrypted(inner).reseal("s")
    [stored] = await payloads_of(inner, KEY_LOG)
    record = key_record_of(stored)
    assert isinstance(record, KeyRecord)
    assert record.digests is not None
    for damaged in (b"", record.digests[:20], record.digests[:-1] + b"\0"):
        payload = record._replace(digests=damaged).payload()
        await inner.commit("s", [Append(KEYS, [payload], cut=0)])
        with pytest.raises(Unreadable, match="digest key beside it is damaged"):
            await encrypted(inner).read(LOG)


# The store of the keys


async def test_a_conversation_in_the_store_of_the_keys_is_not_touched(inner: MemoryStore) -> None:
    """As when two URLs reach one database, or the store of the keys is one of conversations."""
    keys = MemoryStore()
    await keys.append(LOG, [b"precious"])
    store = encrypted(inner, keys=keys)
    with pytest.raises(ValueError, match="holds a conversation of this id"):
        await store.append(LOG, [b"1"])
    await store.delete("s")
    await store.destroy_keys("s")
    assert await payloads_of(keys, LOG) == [b"precious"]
    assert await inner.logs("s") == []


# Keys that are missing or wrong


async def _unreadable(store: Store, problem: str) -> None:
    """All that needs a key raises and changes nothing; all else works."""
    for work in (
        store.read(LOG),
        store.read(LOG, limit=1),
        store.append(LOG, [b"2"]),
        store.append(LOG, [b"2"], expect=1, key=Key("k")),
        store.annotate(LOG, b"2"),
        store.commit("s", [Replace("main", [1], [b"2"], [b"1"])]),
    ):
        with pytest.raises(Unreadable, match=problem):
            await work
    assert isinstance((await head_of(store, LOG)).note, Unopened)
    [head] = await store.sessions()
    assert isinstance(head.note, Unopened)
    assert [head.log.name for head in await store.logs("s")] == ["main", "side"]


@pytest.mark.parametrize("way", ["wrong key", "no keys", "destroyed", "damaged", "lost elsewhere"])
async def test_without_the_key_nothing_is_read_or_written(inner: MemoryStore, way: str) -> None:
    keys = MemoryStore() if way == "lost elsewhere" else None
    await encrypted(inner, keys=keys).commit(
        "s", [Append("main", [b"1", b"1"]), Annotate("main", b"note"), Append("side", [b"1"])]
    )
    problem = {
        "wrong key": "wrapped by another key",
        "no keys": "':keys' is missing",
        "destroyed": "were destroyed",
        "damaged": "can't be read|no data key",
        "lost elsewhere": "missing in the store of the keys",
    }[way]
    provider = Marked(b"other") if way == "wrong key" else Marked()
    if way == "no keys":
        await inner.commit("s", [Forget(KEYS)])
    elif way == "destroyed":
        await inner.commit("s", [Append(KEYS, [Destroyed(1.0).payload()], cut=0)])
    elif way == "damaged":
        await inner.commit("s", [Append(KEYS, [b"{}"], cut=0)])
    elif keys is not None:
        await keys.delete("s")
    before = await raw(inner, "s")
    store = encrypted(inner, provider=provider, keys=keys)
    await _unreadable(store, problem)
    assert await raw(inner, "s") == before
    await store.commit("s", [Check("side", (await store.logs("s"))[1].last)])
    await store.remove(LOG, before=2)
    await store.commit("s", [Forget("side")])
    await store.delete("s")
    assert await inner.logs("s") == []


async def test_two_wrong_keys_and_a_right_one_at_once(inner: MemoryStore) -> None:
    right = encrypted(inner)
    await right.append(LOG, [b"first"])

    async def misuse() -> None:
        store = encrypted(inner, provider=Marked(b"wrong"))
        session = StoredSession("s", store)
        for _ in range(30):
            for work in (session.get_items(), session.pop_item(), session.add_items([{}])):
                with pytest.raises(Unreadable):
                    await work

    async def use() -> None:
        for n in range(30):
            await right.append(LOG, [b'{"n": %d}' % n])

    await asyncio.gather(misuse(), use(), misuse())
    found = await payloads_of(right, LOG)
    assert found == [b"first", *(b'{"n": %d}' % n for n in range(30))]


# A store of its own for the keys


async def test_deletion_takes_the_keys_along(inner: MemoryStore) -> None:
    keys = MemoryStore()
    store = encrypted(inner, keys=keys)
    await store.append(LOG, [b"1"])
    await store.append(Log("other"), [b"1"])
    assert b"wrapped" not in b"".join(await payloads_of(inner, KEY_LOG))
    await store.delete("s")
    assert [head.log.session for head in await keys.sessions()] == ["other"]


async def test_deletion_leaves_the_key_of_what_is_written_anew(inner: MemoryStore) -> None:
    """Another process writes the same id again, at each moment of the deletion."""
    keys = MemoryStore()
    for moment in range(6):
        other = encrypted(inner, keys=Unclosed(keys))

        class Meddling(Layer):
            left = moment

            async def around(self, call: Call[T]) -> T:
                result = await call()
                Meddling.left -= 1
                if Meddling.left == 0:
                    await other.append(LOG, [b"anew"])  # noqa: B023 - of this round
                return result

        await other.append(LOG, [b"old"])
        store = encrypted(Meddling(inner), keys=Meddling(keys))
        await store.delete("s")
        there = await payloads_of(encrypted(inner, keys=Unclosed(keys)), LOG)
        assert there in ([], [b"anew"])
        assert await payloads_of(other, LOG) == there
        await other.append(LOG, [b"more"])
        assert await payloads_of(encrypted(inner, keys=Unclosed(keys)), LOG) == [*there, b"more"]
        await other.delete("s")


async def test_an_interrupted_deletion_leaves_no_data_without_a_key(inner: MemoryStore) -> None:
    keys = MemoryStore()
    store = encrypted(inner, keys=keys)
    await store.append(LOG, [b"1"])
    refused = Failing(keys, first_calls_of("delete", Failure(OSError("gone"))))
    with pytest.raises(OSError, match="gone"):
        await encrypted(inner, keys=refused).delete("s")
    assert await inner.logs("s") == []
    await store.append(LOG, [b"2"])
    assert await payloads_of(encrypted(inner, keys=keys), LOG) == [b"2"]


async def test_the_same_store_for_data_and_keys(inner: MemoryStore) -> None:
    store = encrypted(inner, keys=inner)
    await store.append(LOG, [b"1"])
    await store.append(LOG, [b"2"])
    assert await payloads_of(encrypted(inner), LOG) == [b"1", b"2"]


async def test_closing_closes_both_stores(inner: MemoryStore) -> None:
    keys = MemoryStore()
    await encrypted(inner, keys=keys).aclose()
    for each in (inner, keys):
        with pytest.raises(StoreClosed):
            await each.sessions()


# Cancellation


async def test_a_cancelled_commit_happened_or_not(inner: MemoryStore) -> None:
    class Slow(Layer):
        async def around(self, call: Call[T]) -> T:
            await asyncio.sleep(0)
            result = await call()
            await asyncio.sleep(0)
            return result

    for steps in range(14):
        log = Log(f"s{steps}")
        store = encrypted(Slow(inner), keys=Unclosed(MemoryStore()))
        task = asyncio.create_task(store.append(log, [b"1"]))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        found = await payloads_of(store, log)
        assert found in ([], [b"1"])
        await store.append(log, [b"2"])
        assert await payloads_of(store, log) == [*found, b"2"]


# Secrets


def test_nothing_shows_a_key() -> None:
    secret = RawKey(b"k" * 32)
    key = DataKey.of("s", 1, secret)
    store = encrypted(MemoryStore())
    assert repr(store) == "Encrypted(MemoryStore())"
    for shown in (repr(secret), str(secret), repr(key), str(key), repr(vars(key))):
        assert "kkkk" not in shown
    for each in (secret, key):
        with pytest.raises(TypeError):
            pickle.dumps(each)
        with pytest.raises(TypeError):
            copy.deepcopy(each)


async def test_no_frame_of_an_error_holds_a_key(inner: MemoryStore) -> None:
    """Also not those of a provider that fails."""
    seen_keys: list[bytes] = []

    class Broken(Marked):
        async def wrap(self, session: str, key: bytes) -> bytes:
            seen_keys.append(key)
            text = key.hex()
            raise ConnectionError(f"the KMS was asked with {len(text)} digits")

        async def unwrap(self, session: str, wrapped: bytes) -> bytes:
            key = await super().unwrap(session, wrapped)
            seen_keys.append(key)
            raise ConnectionError("the KMS does not answer")

    good = encrypted(inner)
    await good.append(LOG, [b"1"])
    broken = encrypted(inner, provider=Broken())
    for work in (broken.append(Log("new"), [b"1"]), broken.read(LOG), broken.append(LOG, [b"1"])):
        with pytest.raises(ConnectionError) as caught:
            await work
        frame = caught.value.__traceback__
        while frame is not None:
            held = repr(frame.tb_frame.f_locals.values())
            name = frame.tb_frame.f_code.co_name
            if name != "test_no_frame_of_an_error_holds_a_key":
                assert not [k for k in seen_keys if repr(k)[2:-1] in held or k.hex() in held], name
            frame = frame.tb_next
    assert len(seen_keys) == 3


@pytest.mark.parametrize("way", ["cause", "context", "group"])
async def test_no_frame_behind_the_error_of_a_provider_holds_a_key(
    inner: MemoryStore, way: str
) -> None:
    held: list[BaseException] = []

    async def send(secret: bytes) -> None:
        error = ConnectionError(f"{len(secret.hex())} digits were not sent")
        held.append(error)
        raise error

    class Chained(Marked):
        async def wrap(self, session: str, key: bytes) -> bytes:
            try:
                await send(key)
            except ConnectionError as error:
                if way == "group":
                    raise ExceptionGroup("the KMS", [error]) from None
                if way == "cause":
                    raise RuntimeError("the KMS does not answer") from error
                raise RuntimeError("the KMS does not answer") from None
            return key

    with pytest.raises((RuntimeError, ExceptionGroup)):
        await encrypted(inner, provider=Chained()).append(LOG, [b"1"])
    [error] = held
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    assert [frame.f_code.co_name for frame in frames] == ["wrap", "send"]
    assert not any("secret" in frame.f_locals or "key" in frame.f_locals for frame in frames)


async def test_what_a_provider_gives_is_checked(inner: MemoryStore) -> None:
    class Confused(Marked):
        async def unwrap(self, session: str, wrapped: bytes) -> bytes:
            return (await super().unwrap(session, wrapped))[::-1]

    await encrypted(inner).append(LOG, [b"1"])
    with pytest.raises(Unreadable, match="another data key"):
        await encrypted(inner, provider=Confused()).read(LOG)


async def test_positions_are_those_of_the_changes(inner: MemoryStore) -> None:
    store = encrypted(inner)
    changes: list[Change] = [Append("main", [b"1", b"2"]), Annotate("a", b"n"), Check("b", 0)]
    done = await store.commit("s", changes, key=Key("k"))
    end = (await inner.read(LOG)).positions[-1]
    assert done == Committed((end, 0, 0))
    assert await store.commit("s", changes, key=Key("k")) == Committed((end, 0, 0), replayed=True)
