"""Turns are numbered from the end of a log as they are from its start."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sample_items import answer, user
from turnlog import Agent, Item, RunConfig, Runner, SessionSettings, StoredSession
from turnlog.agents.models.model import ModelResponse, Usage
from turnlog.conversation.reading import tail, turn_index
from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.reading.turn_index import StoredTurn, TurnIndex, lay_behind_copy
from turnlog.errors import FileReplaced, StoreClosed
from turnlog.items.json import decode_all, encode, encode_all
from turnlog.items.kinds import is_question
from turnlog.records import Log
from turnlog.store import Store
from turnlog.stores.memory import MemoryStore
from turnlog.testing import Failing, Failure, Plan, first_calls_of

pytestmark = pytest.mark.anyio

LOG = Log("s")


def index(store: Store, log: Log = LOG) -> TurnIndex:
    return TurnIndex(LogReader(store, log))


async def counted(store: Store, log: Log = LOG) -> list[StoredTurn]:
    """All turns, counted from the start."""
    records = await store.read(log)
    decoded = decode_all(records.payloads)
    starts = [place for place, item in enumerate(decoded) if item and is_question(item)]
    return [
        StoredTurn(
            number,
            start,
            records.positions[start],
            records.positions[end - 1],
            records.times[start],
            [item for item in decoded[start:end] if item is not None],
        )
        for number, (start, end) in enumerate(
            zip(starts, [*starts[1:], len(records)], strict=False), 1
        )
    ]


@contextmanager
def dense() -> Iterator[None]:
    """Within, milestones are laid by every second write, and at every fifth record.

    Logs are read in small parts, so that these milestones are needed.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail, "_RUNS", 2)
        patch.setattr(tail, "_WRITES", 2)
        patch.setattr(tail, "_LARGE", 20)
        patch.setattr(tail, "SPACING", 5)
        for module, name in (
            (tail, "_SOME"),
            (turn_index, "_SOME"),
            (turn_index, "_ITEMS_IN_A_TURN"),
        ):
            patch.setattr(module, name, 2)
        yield


class Answers:
    """A model that says yes."""

    async def respond(self, request: Any) -> Any:
        return ModelResponse([answer("yes")], Usage())


class Filtering(StoredSession):
    """Shows every second item."""

    async def get_items(self, limit: int | None = None) -> list[Item]:
        return (await super().get_items(limit))[::2]


async def add(session: StoredSession, kinds: str) -> None:
    await session.add_items([user("q") if kind == "q" else answer("a") for kind in kinds])


async def plant(session: StoredSession, kinds: str) -> None:
    """Records of someone else, some of them damaged."""
    known = {"q": encode(user("q")), "a": encode(answer("a")), "x": b"damaged"}
    await session.store.append(Log("s", session.branch), [known[kind] for kind in kinds])


async def pop(session: StoredSession, count: int) -> None:
    for _ in range(count):
        await session.pop_item()


async def rewind(session: StoredSession, count: int) -> None:
    records = await session.store.read(Log("s", session.branch), limit=count)
    if records:
        await session.store.remove(Log("s", session.branch), after=records.positions[0] - 1)


async def clear(session: StoredSession, _: int) -> None:
    await session.clear_session()


async def turn(session: StoredSession, count: int) -> None:
    async with session.turn([user(f"{number}") for number in range(count)]) as held:
        await held.add([answer("a")])


async def run(session: StoredSession, count: int) -> None:
    """A run of an agent, through a window for some counts."""
    asked = SessionSettings(max_turns=4, step=2) if count % 2 else SessionSettings(max_turns=3)
    config = RunConfig(session_settings=asked if count % 3 else None)
    await Runner.run(Agent("A", model=Answers()), f"{count}", session=session, run_config=config)


async def run_freely(session: StoredSession, count: int) -> None:
    config = RunConfig(session_policy="off", session_settings=SessionSettings(max_turns=count + 4))
    await Runner.run(Agent("A", model=Answers()), f"{count}", session=session, run_config=config)


async def run_filtered(session: StoredSession, count: int) -> None:
    filtering = Filtering("s", session.store, branch=session.branch)
    await Runner.run(Agent("A", model=Answers()), f"{count}", session=filtering)


async def fork(session: StoredSession, count: int) -> None:
    """Go on in a copy of all but the newest records."""
    log = Log("s", session.branch)
    records = (await session.store.read(log))[: -count or None]
    target = Log("s", f"{session.branch}+")
    end = await session.store.append(target, records.payloads)
    if records:
        reader = LogReader(session.store, log)
        await lay_behind_copy(reader, records.positions[-1], target, end)
    session.branch = target.name


written = st.text("qaaa", min_size=1, max_size=12)
planted = st.text("qaax", min_size=1, max_size=12)
few, many = st.integers(0, 7), st.integers(0, 40)
steps = st.one_of(
    st.tuples(st.just(add), written),
    st.tuples(st.just(plant), planted),
    st.tuples(st.just(pop), few),
    st.tuples(st.just(rewind), many),
    st.tuples(st.sampled_from([turn, run, run_freely, run_filtered]), st.integers(1, 6)),
    st.tuples(st.sampled_from([run, turn]), st.integers(1, 3)),
    st.tuples(st.just(fork), few),
    st.tuples(st.just(clear), few),
)


async def check(store: Store, log: Log) -> None:
    expected = await counted(store, log)
    turns = index(store, log)
    assert await turns.newest() == expected
    assert await turns.count() == len(expected)
    numbers = {0, 1, 2, len(expected) // 2, len(expected) - 1, len(expected), len(expected) + 1}
    for number in numbers:
        start = expected[number - 1].position if 0 < number <= len(expected) else None
        assert await turns.start_of(number) == start
        older = [each for each in expected if each.number < number]
        for limit in (0, 1, 3):
            assert await turns.newest(limit, number) == older[max(0, len(older) - limit) :]
        assert await turns.newest(None, number) == older
    for limit in (0, 1, 2, 20):
        assert await turns.newest(limit) == expected[max(0, len(expected) - limit) :]
    for each in expected:
        assert await turns.count(each.position) == each.number


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, min_size=12, max_size=40))
def test_numbers_agree_with_a_full_count(
    done: list[tuple[Callable[..., Any], Any]],
) -> None:
    async def compare() -> None:
        with dense():
            session = StoredSession("s", MemoryStore())
            for step, argument in done:
                await step(session, argument)
            await check(session.store, Log("s", session.branch))

    asyncio.run(compare())


@settings(max_examples=60, deadline=None)
@given(st.lists(steps, min_size=12, max_size=40))
def test_a_window_with_a_step_agrees_with_a_full_count(
    done: list[tuple[Callable[..., Any], Any]],
) -> None:
    async def compare() -> None:
        window = SessionSettings(max_turns=5, step=3)
        with dense():
            session = StoredSession("s", MemoryStore(), session_settings=window)
            for step, argument in done:
                await step(session, argument)
            plain = MemoryStore()
            records = await session.store.read(Log("s", session.branch))
            await plain.append(LOG, records.payloads)
            assert await session.view() == await StoredSession("s", plain).view(settings=window)

    asyncio.run(compare())


@pytest.fixture
async def session() -> AsyncIterator[StoredSession]:
    with dense():
        yield StoredSession("s", MemoryStore())


async def milestones(store: Store, log: Log = LOG) -> list[tuple[int, int, int]]:
    """What is stored: position, turns before it, records before it."""
    items = decode_all((await store.read(log.beside("turns"))).payloads)
    return [tuple(item.values()) for item in items if item]


async def test_milestones_are_facts(session: StoredSession) -> None:
    for number in range(30):
        await add(session, "qa" if number % 2 else "aqaa")
        await run(session, number % 6 + 1)
    records = await session.store.read(LOG)
    decoded = [item or {} for item in decode_all(records.payloads)]
    laid = await milestones(session.store)
    later = [each for each in laid if each[2] > 5]  # before, nobody looks for others
    assert len(set(later)) == len(later) > 20
    for position, turns, before in laid:
        assert records.positions[before] == position
        assert turns == sum(map(is_question, decoded[:before]))


async def test_a_large_write_lays_some_within(session: StoredSession) -> None:
    await add(session, "qa" * 50)
    laid = await milestones(session.store)
    assert [before for *_, before in laid] == [*range(5, 100, 5), 99]


async def test_reading_lays_none(session: StoredSession) -> None:
    await session.store.append(LOG, encode_all([user("q"), answer("a")] * 500))
    before = await session.store.logs("s")
    assert len(await session.turns()) == 500
    assert len(await session.turns(3, 200)) == 3
    await session.view(settings={"max_turns": 4, "step": 2})
    assert await session.store.logs("s") == before


async def test_a_conversation_that_is_deleted_meanwhile_stays_deleted() -> None:
    class Deleting(MemoryStore):
        async def read(self, log: Log, **bounds: Any) -> Any:
            found = await super().read(log, **bounds)
            await self.delete(log.session)
            return found

    store = Deleting()
    with dense():
        await add(StoredSession("s", store), "qa" * 10)
    assert await store.logs("s") == []
    assert await store.sessions() == []


async def test_a_copy_of_records_that_were_popped_meanwhile_has_no_milestone(
    session: StoredSession,
) -> None:
    await add(session, "qa" * 5)
    reader, copied = LogReader(session.store, LOG), await session.store.read(LOG)
    end = await session.store.append(Log("s", "copy"), copied.payloads)
    await rewind(session, 4)
    await lay_behind_copy(reader, copied.positions[-1], Log("s", "copy"), end)
    assert await milestones(session.store, Log("s", "copy")) == []
    await check(session.store, Log("s", "copy"))


@pytest.mark.parametrize(
    "plan",
    [
        first_calls_of("read", Failure(OSError("down"))),
        first_calls_of("commit", None, Failure(OSError("down"))),
    ],
)
async def test_a_failure_to_lay_one_is_logged_and_fails_nothing(
    plan: Plan, caplog: pytest.LogCaptureFixture
) -> None:
    store = Failing(MemoryStore(), plan)
    with dense():
        await add(StoredSession("s", store), "qa" * 10)
    assert len(await store.read(LOG)) == 20
    assert await milestones(store) == []
    assert "could not be counted for later reads: OSError" in caplog.text


@pytest.mark.parametrize("before", [("read",), ("commit", None)])
async def test_a_file_that_was_replaced_is_told_to_the_writer(before: tuple[Any, ...]) -> None:
    """It is told only once: a writer that never hears of it goes on in an empty file."""
    verb, *calls = before
    failure = Failure(FileReplaced("c.db", is_unwritten=True))
    store = Failing(MemoryStore(), first_calls_of(verb, *calls, failure))
    with dense(), pytest.raises(FileReplaced):
        await add(StoredSession("s", store), "qa" * 10)


async def test_a_closed_session_tells_no_turns() -> None:
    session = StoredSession("s", MemoryStore())
    session.closed = True
    with pytest.raises(StoreClosed):
        await session.turns()
