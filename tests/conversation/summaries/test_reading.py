"""Which summary counts, and what is made of records that can't be read."""

import asyncio
import logging

import pytest

from tests.sample_items import answer, user
from turnlog import Log, SessionSettings, Store, StoredSession
from turnlog.changes import Replace
from turnlog.conversation.summaries.reading import all_summaries, is_among, valid
from turnlog.items.json import Item
from turnlog.layers.encrypted import Encrypted
from turnlog.layers.encryption.keyring import Keyring
from turnlog.records import Records
from turnlog.stores.memory import MemoryStore
from turnlog.testing.counting import Counting
from turnlog.testing.five_turns import texts, told
from turnlog.testing.three_turns import turns

pytestmark = pytest.mark.anyio

LOG = Log("s")
BESIDE = LOG.beside("summaries")


@pytest.fixture
async def five() -> StoredSession:
    session = StoredSession("s", MemoryStore())
    await session.add_items(turns(1, 2, 3, 4, 5))
    return session


@pytest.mark.parametrize(
    "payload",
    [
        b"secret",
        b"[]",
        b"{}",
        b'{"covers": "x", "items": []}',
        b'{"covers": 1, "items": ["secret"]}',
    ],
)
async def test_a_record_that_can_not_be_read_hides_no_other(
    five: StoredSession, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    await five.compact(texts)
    await five.store.append(BESIDE, [payload])
    with caplog.at_level(logging.WARNING, logger="turnlog"):
        assert await five.get_items() == told(1, 2, 3, last=5)
    assert "can't be read" in caplog.text
    assert "secret" not in caplog.text
    assert await five.compact(texts, keep=1)
    assert await five.drop_summary()
    assert await five.drop_summary()
    assert await five.get_items() == turns(1, 2, 3, 4, 5)


async def test_the_summary_that_counts_is_found(five: StoredSession) -> None:
    assert await valid(five.store, LOG) == (None, 0)
    await five.compact(texts, keep=4)
    await five.compact(texts, keep=2)
    await five.rewind(turn=3)
    found, end = await valid(five.store, LOG)
    assert found is not None
    assert (found.covers, found.covered, found.turns) == (2, 2, 1)
    assert end == (await all_summaries(five.store, LOG)).end > 0


def test_positions_are_found() -> None:
    assert [is_among(position, [2, 5, 9]) for position in (1, 2, 5, 6, 9, 10)] == [
        False,
        True,
        True,
        False,
        True,
        False,
    ]


async def test_what_is_covered_is_not_read() -> None:
    store = Counting(MemoryStore())
    session = StoredSession("s", store)
    await session.add_items(turns(*range(1_000)))
    await session.compact(texts)
    for handle in (StoredSession("s", store), session):
        before = store.records
        assert len(await handle.get_items()) == 5
        assert store.records - before < 300
    before = store.records
    async with session.turn("q") as turn:
        assert len(turn.input) == 6
        await turn.add([{"role": "assistant", "content": "a"}])
    assert store.records - before < 20


class Between(Counting):
    """Does something before the log of summaries is read."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.waits = False
        self.reads = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def read(self, log: Log, **options: int | None) -> Records:
        if log == LOG and self.waits:
            self.waits = False
            self.reads.set()
            await self.goes_on.wait()
        return await super().read(log, **options)


@pytest.mark.parametrize("popped", [3, 5, 9])
async def test_a_summary_that_is_voided_while_it_is_read(five: StoredSession, popped: int) -> None:
    """Its records are read behind a pop: they are shown as they are."""
    await five.compact(texts, keep=4)
    await five.compact(texts, keep=2)
    between = Between(five.store)
    between.waits = True
    reading = asyncio.ensure_future(StoredSession("s", between).get_items())
    await between.reads.wait()
    for _ in range(popped):
        await five.pop_item()
    expected: list[Item] = await five.get_items()
    between.goes_on.set()
    assert await reading == expected


@pytest.mark.parametrize("windowed", [False, True])
async def test_the_first_turn_of_a_new_handle_does_not_read_what_is_covered(
    windowed: bool,
) -> None:
    """A handle per request: it knows of no summary yet."""
    store = MemoryStore()
    session = StoredSession("s", store)
    await session.add_items([user("q"), answer("a")] * 5_000)

    async def summarise(_: list[Item]) -> str:
        return "what was"

    await session.compact(summarise, keep=20)
    counting = Counting(store)
    settings = SessionSettings(limit=6_000) if windowed else None
    async with StoredSession("s", counting, session_settings=settings).turn("new") as turn:
        assert len(turn.input) == 1 + 40 + 1
        assert "what was" in turn.input[0]["content"]
        await turn.add([answer("a")])
    assert counting.records < 400


async def test_a_long_conversation_without_a_summary_is_read_once() -> None:
    store = MemoryStore()
    await StoredSession("s", store).add_items([user("q"), answer("a")] * 1_000)
    counting = Counting(store)
    session = StoredSession("s", counting)
    for before in (2_000, 2_002):
        counting.records = 0
        async with session.turn("new") as turn:
            assert len(turn.input) == before + 1
            await turn.add([answer("a")])
        assert counting.records < before + 300


@pytest.mark.parametrize("at", [0, 20, -20, -1])
async def test_a_damaged_summary_under_encryption_hides_no_other(
    at: int, caplog: pytest.LogCaptureFixture
) -> None:
    """The older one counts, and everything goes on."""
    inner = MemoryStore()
    store = Encrypted(inner, Keyring({"k": bytes(range(32))}, primary="k"))
    session = StoredSession("s", store)
    await session.add_items(turns(1, 2, 3, 4, 5))
    await session.compact(texts, keep=4)
    await session.compact(texts)
    newest = (await inner.read(BESIDE))[-1]
    damaged = bytearray(newest.payload)
    damaged[at] ^= 1
    change = Replace(BESIDE.name, [newest.position], [bytes(damaged)], [newest.payload])
    await inner.commit("s", [change])
    again = StoredSession("s", store)
    assert await again.get_items() == await again.view() == told(1, last=5)
    assert "can't be read" in caplog.text
    assert await again.history() == turns(1, 2, 3, 4, 5)
    assert await (await again.fork("f")).get_items() == told(1, last=5)
    async with again.turn("question 6") as turn:
        assert turn.input[:-1] == told(1, last=5)
        await turn.add(turns(6)[1:])
    await again.compact(texts)
    assert await StoredSession("s", store).get_items() == told(1, 2, 3, 4, last=6)
    assert await again.drop_summary()
    assert await again.get_items() == told(1, last=6)
