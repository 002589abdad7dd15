"""Records of usage: what is read of them, how far back, and what a fork copies."""

import logging
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import TypeVar

import pytest

from tests.sample_items import answer, user
from turnlog import StoredSession, Usage
from turnlog.changes import Append
from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.reading.turn_index import TurnIndex
from turnlog.conversation.reading.turn_usage import usage_of_turns
from turnlog.conversation.usage.copied import copied_usage
from turnlog.conversation.usage.entries import Entry
from turnlog.conversation.usage.spending import Spending
from turnlog.errors import StoreClosed
from turnlog.items.json import encode
from turnlog.records import Log
from turnlog.store import Call, Layer, Store
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

T = TypeVar("T")
LOG, USAGE = Log("session"), Log("session", ":usage")


class Reads(Layer):
    """Counts the records that reads of `:usage` return."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self.records = Counter[str]()

    async def around(self, call: Call[T]) -> T:
        found = await call()
        if call.verb == "read" and isinstance(log := call.args[0], Log):
            self.records[log.name] += len(found)  # type: ignore[arg-type] # of a read
        return found


def record(position: int, tokens: int = 10, run: str | None = None) -> bytes:
    spending = Spending(run)
    spending.add(Usage(tokens, 1))
    return spending.payload(position)


async def talk(store: Store, turns: int) -> list[int]:
    """A conversation of that many turns with one run each; the positions of its questions."""
    positions = []
    for number in range(turns):
        question = await store.append(LOG, [encode(user(f"q{number}"))])
        await store.commit(
            "session",
            [Append("main", [encode(answer("a"))]), Append(":usage", [record(question)])],
        )
        positions.append(question)
    return positions


@pytest.mark.parametrize("turns", [100, 2000])
async def test_the_newest_turns_cost_the_same_in_any_conversation(turns: int) -> None:
    store = Reads(MemoryStore())
    await talk(store, turns)
    newest = await TurnIndex(LogReader(store, LOG)).newest(20)
    spent = await usage_of_turns(store, LOG, newest)
    assert spent == {turn.number: Usage(10, 1, requests=1) for turn in newest}
    assert store.records[":usage"] <= 128


async def test_records_that_come_late_are_found() -> None:
    """Runs without a lease may end in any order."""
    store = MemoryStore()
    positions = await talk(store, 40)
    for position in positions[:31]:
        await store.append(USAGE, [record(position, 5)])
    newest = await TurnIndex(LogReader(store, LOG)).newest(2)
    assert await usage_of_turns(store, LOG, newest) == {
        39: Usage(10, 1, requests=1),
        40: Usage(10, 1, requests=1),
    }


async def test_the_last_record_of_a_run_counts() -> None:
    store = MemoryStore()
    first, second = await talk(store, 2)
    for payload in (record(first, 1, "r"), record(first, 2, "r"), record(second, 3, "r")):
        await store.append(USAGE, [payload])
    session = StoredSession("session", store)
    assert (await session.usage("run"))["r"] == Usage(3, 1, requests=1)
    assert await session.usage("turn") == {
        1: Usage(10, 1, requests=1),
        2: Usage(13, 2, requests=2),
    }
    assert (await session.usage("turn", turns=1))[2] == Usage(13, 2, requests=2)
    assert await session.usage("turn", turns=0) == {}


async def test_no_turns_read_nothing() -> None:
    store = Reads(MemoryStore())
    await talk(store, 3)
    assert await usage_of_turns(store, LOG, []) == {}
    assert store.records == {}


BROKEN = [b"secret", b"[]", b"{}", b'{"run": "x", "position": "secret"}', b'{"run":1,"parts":[1]}']


@pytest.mark.parametrize("payload", BROKEN)
async def test_a_record_that_can_not_be_read_is_logged(
    payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore()
    await talk(store, 1)
    await store.append(USAGE, [payload])
    session = StoredSession("session", store)
    with caplog.at_level(logging.WARNING, logger="turnlog"):
        assert await session.usage() == Usage(10, 1, requests=1)
    [logged] = caplog.messages
    assert "can't be read and is left out" in logged
    assert "secret" not in caplog.text
    records = await store.read(LOG)
    assert len(await copied_usage(store, LOG, Log("session", "b"), records)) == 1


async def test_a_record_says_all_that_is_known() -> None:
    spending = Spending("r")
    spending.add(Usage(10, 1, 2, 3, input_details={"cached_tokens": 2}), "Ann", "m-1")
    spending.add(Usage(1, 1), "Bob", "m-2")
    entry = Entry.of(spending.payload(7))
    assert entry.position == 7
    assert entry.usage == spending.usage == Usage(11, 2, 2, 3, 2)
    assert [(part.agent, part.model) for part in entry.parts] == [("Ann", "m-1"), ("Bob", "m-2")]
    assert entry.usage.input_details == {"cached_tokens": 2}
    assert entry.fields["input_tokens"] == 11
    assert entry.fields["at"] > 1.7e9
    assert entry.fields["seconds"] >= 0


async def test_a_copy_leaves_out_what_its_branch_does_not_have() -> None:
    store, target = MemoryStore(), Log("session", "b")
    first, second = await talk(store, 2)
    await store.append(USAGE, [record(0), record(first, 5), record(99)])
    records = await store.read(LOG)
    assert await copied_usage(store, LOG, target, records[:0]) == []
    [change] = await copied_usage(store, LOG, target, records[:2])
    assert isinstance(change, Append)
    assert (change.log, change.expect) == (":usage@b", 0)
    copies = [Entry.of(payload) for payload in change.payloads]
    assert [(entry.copied_from, entry.position) for entry in copies] == [
        ((0, records.times[0]), 0),
        (None, 0),
        ((0, records.times[0]), 0),
    ]
    usage = await store.read(USAGE)
    assert change.times == (usage.times[0], usage.times[2], usage.times[3])
    assert second > first


@pytest.mark.parametrize(
    "arguments", [{"by": "day"}, {"branches": "none"}, {"turns": -1}], ids=repr
)
async def test_wrong_arguments_are_named(arguments: dict[str, object]) -> None:
    [name] = arguments
    with pytest.raises(ValueError, match=name):
        await StoredSession("session", MemoryStore()).usage(**arguments)  # type: ignore[call-overload] # as someone may write it


async def test_a_closed_session_tells_nothing() -> None:
    session = StoredSession("session", MemoryStore())
    session.closed = True
    with pytest.raises(StoreClosed):
        await session.usage()
    with pytest.raises(StoreClosed):
        await session.store_run_usage(SimpleNamespace(spending=Spending()))


class Growing:
    """A usage object, such as that of the SDK, which can be referred to weakly."""

    def __init__(self) -> None:
        self.input_tokens, self.output_tokens = 1, 0


@pytest.mark.parametrize("kind", [Growing, lambda: SimpleNamespace(**vars(Growing()))])
async def test_results_are_known_as_long_as_they_live(kind: Callable[[], object]) -> None:
    """A later one at the same place in memory is another."""
    store = MemoryStore()
    await talk(store, 1)
    session = StoredSession("session", store)
    for _ in range(300):
        for usage in [kind()] * 2:
            result = SimpleNamespace(context_wrapper=SimpleNamespace(usage=usage))
            await session.store_run_usage(result)
        del usage, result
    assert await session.usage() == Usage(310, 1, requests=301)
