"""Tampering: whatever is done to stored records is noticed, and nothing else becomes unreadable.

Records are changed behind the layer, by commits to the store below.
"""

from collections.abc import Mapping, Sequence
from random import Random

import pytest

from tests.layers.encrypting import Marked, Unclosed, raw
from tests.sizes import FLIPS, HEADER_STRIDE
from turnlog import StoredSession
from turnlog.changes import Annotate, Append, Remove, Replace
from turnlog.errors import Unreadable
from turnlog.items.json import encode
from turnlog.layers.encrypted import Encrypted
from turnlog.layers.encryption.data_keys import DataKeys
from turnlog.layers.encryption.header import HEADER, TAG
from turnlog.layers.encryption.key_records import KEYS
from turnlog.records import Log, Unopened
from turnlog.store import Store
from turnlog.stores.memory import MemoryStore
from turnlog.testing.looking import head_of

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.stores("memory", "sqlite", "postgres", "redis"),
]

LOG = Log("s")
COUNT = 100


def encrypted(inner: Store, provider: Marked | None = None) -> Encrypted:
    return Encrypted(Unclosed(inner), provider or Marked())


def item(n: int) -> bytes:
    return encode({"role": "user", "content": f"item {n} of many"})


@pytest.fixture
def inner(any_store: Store) -> Store:
    return any_store


@pytest.fixture
async def store(inner: Store) -> Encrypted:
    """100 records, in appends of one to seven."""
    store = encrypted(inner)
    n, chance = 0, Random(1)
    while n < COUNT:
        size = min(chance.randint(1, 7), COUNT - n)
        await store.append(LOG, [item(n + m) for m in range(size)])
        n += size
    return store


class Stored:
    """The sealed records of a log, to be changed one by one."""

    def __init__(
        self, store: Store, log: Log, positions: Sequence[int], payloads: list[bytes]
    ) -> None:
        self.positions = list(positions)
        self.payloads = payloads
        self._store = store
        self._log = log

    @classmethod
    async def of(cls, store: Store, log: Log = LOG) -> "Stored":
        found = await store.read(log)
        return cls(store, log, found.positions, list(found.payloads))

    async def change(self, new: Mapping[int, bytes]) -> None:
        """Write other bytes over the records with these ordinals."""
        at = sorted(new)
        replace = Replace(
            self._log.name,
            [self.positions[n] for n in at],
            [new[n] for n in at],
            [self.payloads[n] for n in at],
        )
        await self._store.commit(self._log.session, [replace])
        for n in at:
            self.payloads[n] = new[n]


async def unopened(store: Store, log: Log = LOG) -> set[int]:
    """The ordinals of the records that are noticed. All others have to be as they were."""
    found = await store.read(log)
    wrong = {n for n, each in enumerate(found.payloads) if isinstance(each, Unopened)}
    for n, payload in enumerate(found.payloads):
        assert n in wrong or payload == item(n), n
    return wrong


def flipped(sealed: bytes, bit: int) -> bytes:
    changed = bytearray(sealed)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.proof
async def test_every_flipped_bit_is_noticed(inner: Store, store: Encrypted) -> None:
    """Each bit of the header of every record, and random bits of every record."""
    stored = await Stored.of(inner)
    right = list(stored.payloads)
    chance = Random(2)
    header = [[bit] * COUNT for bit in range(0, 8 * HEADER, HEADER_STRIDE)]
    anywhere = [[chance.randrange(8 * len(each)) for each in right] for _ in range(FLIPS)]
    for bits in [*header, *anywhere]:
        for parity in (0, 1):
            wrong = range(parity, COUNT, 2)
            changed = {n: flipped(right[n], bits[n]) for n in wrong}
            restored = {n: right[n] for n in range(1 - parity, COUNT, 2)}
            await stored.change({**changed, **restored})
            assert await unopened(store) == set(wrong), bits
    assert (await inner.read(LOG)).payloads == stored.payloads


async def test_other_lengths_and_plain_text_are_noticed(inner: Store, store: Encrypted) -> None:
    stored = await Stored.of(inner)
    sealed = stored.payloads[50]
    for other in [
        *(sealed[:size] for size in range(0, len(sealed), 3)),
        *(sealed[size:] for size in (1, 2, HEADER, HEADER + TAG)),
        sealed + b"\0",
        sealed + sealed,
        sealed[:HEADER] + bytes(TAG),
        item(50),
        b"",
    ]:
        await stored.change({50: other})
        assert await unopened(store) == {50}
    await stored.change({50: sealed})
    assert await unopened(store) == set()


async def test_swapped_records_are_noticed(inner: Store, store: Encrypted) -> None:
    stored = await Stored.of(inner)
    right = list(stored.payloads)
    chance = Random(3)
    for _ in range(30):
        first, second = sorted(chance.sample(range(COUNT), 2))
        await stored.change({first: right[second], second: right[first]})
        found = (await store.read(LOG)).payloads
        wrong = {n for n, each in enumerate(found) if isinstance(each, Unopened)}
        assert wrong
        if second - first > 2:
            assert wrong == {first, second}
        # What remains is in the order in which it was written.
        shown = [each for each in found if not isinstance(each, Unopened)]
        assert shown == sorted(shown, key=[item(n) for n in range(COUNT)].index)
        await stored.change({first: right[first], second: right[second]})
    assert await unopened(store) == set()


async def test_copies_are_noticed(inner: Store, store: Encrypted) -> None:
    """Over other records, and at the end."""
    stored = await Stored.of(inner)
    right = list(stored.payloads)
    for origin, target in ((3, 90), (90, 3), (0, 99), (99, 0), (40, 60)):
        await stored.change({target: right[origin]})
        assert await unopened(store) == {target}
        await stored.change({target: right[target]})
    for origin in (0, 50, 98):
        end = await inner.append(LOG, [right[origin]])
        assert isinstance((await store.read(LOG)).payloads[-1], Unopened)
        assert isinstance((await store.read(LOG, limit=2)).payloads[-1], Unopened)
        await inner.remove(LOG, after=end - 1)


async def test_moved_records_are_noticed(inner: Store, store: Encrypted) -> None:
    """Taken out, and put in at the end."""
    stored = await Stored.of(inner)
    at = stored.positions[30]
    await inner.remove(LOG, after=at - 1, before=at + 1)
    await inner.append(LOG, [stored.payloads[30]])
    found = (await store.read(LOG)).payloads
    assert [n for n, each in enumerate(found) if isinstance(each, Unopened)] == [COUNT - 1]
    assert list(found[:-1]) == [item(n) for n in range(COUNT) if n != 30]


async def test_records_of_other_places_are_noticed(inner: Store, store: Encrypted) -> None:
    """Of other logs, branches, conversations, databases and notes, at the same position."""
    session = StoredSession("s", store)
    await session.fork("branch")
    other_database = encrypted(MemoryStore())
    await other_database.append(LOG, [item(0)])
    await store.append(Log("other"), [item(0)])
    await store.append(LOG.beside("usage"), [item(0)])
    await store.annotate(LOG, item(0))
    strangers = {
        "branch": (await inner.read(Log("s", "branch"))).payloads[0],
        "log": (await inner.read(LOG.beside("usage"))).payloads[0],
        "conversation": (await inner.read(Log("other"))).payloads[0],
        "database": (await other_database.inner.read(LOG)).payloads[0],
        "note": (await head_of(inner, LOG)).note,
    }
    stored = await Stored.of(inner)
    right = stored.payloads[0]
    for place, stranger in strangers.items():
        await stored.change({0: stranger})
        assert await unopened(store) == {0}, place
    await stored.change({0: right})
    for stranger in (right, strangers["log"], strangers["conversation"], b"plain"):
        await inner.commit("s", [Annotate("main", stranger)])
        assert isinstance((await head_of(store, LOG)).note, Unopened)
        assert await unopened(store) == set()


async def test_records_under_the_id_of_another_key_are_noticed(
    inner: Store, store: Encrypted
) -> None:
    """The conversation has two data keys."""
    key, record = await DataKeys(inner, Marked(), None, 300).made("s")
    await inner.append(Log("s", KEYS), [record.payload()])
    await store.append(LOG, [item(COUNT)])
    assert await unopened(store) == set()
    stored = await Stored.of(inner)
    old, new = stored.payloads[0], stored.payloads[COUNT]
    assert new[4:8] == key.id.to_bytes(4, "big") != old[4:8]
    await stored.change({0: old[:4] + new[4:8] + old[8:], COUNT: new[:4] + old[4:8] + new[8:]})
    assert await unopened(store) == {0, COUNT}


async def test_a_popped_record_that_is_put_back_is_noticed(inner: Store, store: Encrypted) -> None:
    """Beside its successor, which was written for the same place; one of the two is shown."""
    [popped] = (await inner.read(LOG, limit=1)).payloads
    session = StoredSession("s", store)
    await session.pop_item()
    await store.append(LOG, [item(COUNT)])
    await inner.append(LOG, [popped])
    found = (await store.read(LOG)).payloads
    wrong = [n for n, each in enumerate(found) if isinstance(each, Unopened)]
    assert len(wrong) == 1
    assert wrong[0] >= COUNT - 1
    # Without its successor it can't be told from a record that was never popped.
    await inner.commit("s", [Remove("main", after=(await inner.read(LOG)).positions[-3])])
    await inner.append(LOG, [popped])
    assert await unopened(store) == set()


async def test_reads_and_pops_change_nothing(inner: Store, store: Encrypted) -> None:
    """Of tampered records, with the right key and with a wrong one."""
    stored = await Stored.of(inner)
    await stored.change({7: flipped(stored.payloads[7], 300), 99: stored.payloads[3]})
    before = await raw(inner, "s")
    session = StoredSession("s", store)
    assert len(await session.get_items()) == COUNT - 2
    with pytest.raises(Unreadable):
        await session.pop_item()
    wrong = StoredSession("s", encrypted(inner, Marked(b"wrong")))
    for work in (wrong.get_items(), wrong.pop_item(), wrong.get_items(limit=3), wrong.turns()):
        with pytest.raises(Unreadable):
            await work
    plain = StoredSession("s", inner)
    for work in (plain.get_items(), plain.pop_item()):
        with pytest.raises(Unreadable):
            await work
    await encrypted(inner, Marked(b"wrong")).logs("s")
    await encrypted(inner, Marked(b"wrong")).sessions()
    assert await raw(inner, "s") == before


async def test_a_cut_off_tail_is_not_noticed(inner: Store, store: Encrypted) -> None:
    """As the documentation says: no store can tell it from a removal."""
    stored = await Stored.of(inner)
    await inner.commit("s", [Remove("main", after=stored.positions[59])])
    assert await unopened(store) == set()
    assert len(await inner.read(LOG)) == 60
    await store.commit("s", [Append("main", [item(60)])])
    assert await unopened(store) == set()
