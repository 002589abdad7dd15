"""Usage of runs: one record for each run, in the commit that ends it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextvars import Context
from pathlib import Path
from typing import Any

import pytest

from tests.agents.runs import weather
from tests.agents.test_round_trips import Counted, Trips
from tests.agents.ways import Way
from tests.fake_models import Broken, Script
from tests.sample_items import answer, call, output, user
from turnlog import (
    Agent,
    AsyncSQLiteSession,
    MaxTurnsExceeded,
    ModelRequest,
    ModelResponse,
    RunConfig,
    Runner,
    StoredSession,
    Usage,
    function_tool,
)
from turnlog.agents.models.model import ModelEvent, TextDelta
from turnlog.changes import Append, Remove
from turnlog.conversation.turns.current import open_turn_on
from turnlog.conversation.usage.entries import Entry
from turnlog.items.json import Item
from turnlog.records import Log
from turnlog.store import Store
from turnlog.stores.memory import MemoryStore
from turnlog.testing import Failing, Failure

pytestmark = pytest.mark.anyio

ONE = Usage(10, 1, requests=1)
TWO = Usage(20, 2, requests=2)


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
        return
    async with AsyncSQLiteSession("other", tmp_path / "conversations.db") as opened:
        yield opened.store


@pytest.fixture
def session(store: Store) -> StoredSession:
    return StoredSession("session", store)


async def entries(session: StoredSession) -> list[Entry]:
    """All records, also those that a later one of the same run replaces."""
    log = Log(session.session_id, session.branch).beside("usage")
    return [Entry.of(payload) for payload in (await session.store.read(log)).payloads]


async def questions(session: StoredSession) -> list[int]:
    """The position of each user's message."""
    records = await session.store.read(Log(session.session_id, session.branch))
    return [each.position for each in records if b'"role":"user"' in each.payload]


def asked(number: int = 1) -> Item:
    return call("weather", number, '{"city": "Oslo"}')


def helpful(*responses: list[Item]) -> Agent:
    return Agent("Ann", model=Script(*responses), tools=[weather])


# What a run records


async def test_one_record_with_all_that_is_known(way: Way, session: StoredSession) -> None:
    await session.add_items([user("earlier"), answer("yes")])
    result = await way(helpful([asked()], [answer("rain")]), "weather?", session=session)
    [entry] = await entries(session)
    assert entry.fields.keys() >= {"run", "position", "agent", "model", "seconds", "at"}
    assert (entry.run, entry.usage) == (result.run_id, TWO)
    assert (entry.fields["agent"], entry.fields["model"]) == ("Ann", "Script")
    assert entry.position == (await questions(session))[1]
    assert "parts" not in entry.fields
    assert result.usage == TWO


async def test_a_run_that_spends_nothing_has_no_record(way: Way, session: StoredSession) -> None:
    with pytest.raises(ConnectionError):
        await way(Agent("Ann", model=Broken(1)), "go", session=session)
    await way(Agent("Ann", model=Broken(0)), "go", session=session)
    assert await entries(session) == []


async def test_recording_adds_no_round_trip(way: Way) -> None:
    store = Counted(MemoryStore())
    session = StoredSession("session", store)
    for number in range(3):
        await way(helpful([answer("yes")]), f"q{number}", session=session)
        assert store.counted() == Trips(1, 2)
    with pytest.raises(MaxTurnsExceeded):
        await way(helpful([asked()]), "go", session=session, max_turns=1)
    assert store.counted() == Trips(1, 4), "question, call, output, and the lease is given back"
    assert await session.usage() == Usage(40, 4, requests=4)


# Where its turn begins


@pytest.mark.parametrize(
    ("new", "place"),
    [
        ([user("1"), user("2")], 1),
        ([user("1"), {"role": "developer", "content": "note"}], 0),
        ([{"role": "developer", "content": "note"}, user("1")], 0),
    ],
    ids=["two questions", "a question and a note", "a note and a question"],
)
async def test_the_position_of_input_of_several_items(
    way: Way, session: StoredSession, new: list[Item], place: int
) -> None:
    await session.add_items([{"role": "system", "content": "hello"}])
    await way(helpful([answer("yes")]), new, session=session)
    [entry] = await entries(session)
    assert entry.position == (await questions(session))[place]


async def test_input_without_a_question(way: Way, session: StoredSession) -> None:
    note = [{"role": "developer", "content": "say hello"}]
    await way(helpful([answer("hello")]), note, session=session)
    assert await session.usage("turn") == {0: ONE}


async def test_runs_of_one_turn_add_up(way: Way, session: StoredSession) -> None:
    await session.add_items([user("earlier"), answer("yes")])
    for calls in (1, 2):
        with pytest.raises(MaxTurnsExceeded):
            await way(helpful([asked(calls)]), "go", session=session, max_turns=1)
    await way(helpful([answer("done")]), "go", session=session)
    assert await session.usage("turn") == {2: Usage(30, 3, requests=3)}
    assert len(await entries(session)) == 3


async def test_a_question_that_a_tool_takes_back(session: StoredSession) -> None:
    """What was spent on it is not counted for the turn before it."""

    @function_tool
    async def forget() -> str:
        while (await session.pop_item()) != user("go"):
            pass
        return "forgotten"

    await session.add_items([user("earlier"), answer("yes")])
    agent = Agent("A", model=Script([call("forget")], [answer("done")]), tools=[forget])
    await Runner.run(agent, [user("go"), {"role": "developer", "content": "n"}], session=session)
    assert await session.usage("turn") == {None: TWO}


# How a run ends


@function_tool(failure_error_function=None)
async def broken() -> str:
    raise OSError("the disk is full")


async def test_a_tool_that_fails(way: Way, session: StoredSession) -> None:
    agent = Agent("A", model=Script([call("broken")]), tools=[broken])
    with pytest.raises(OSError, match="disk"):
        await way(agent, "go", session=session)
    assert await session.usage("turn") == {1: ONE}
    assert len(await entries(session)) == 1


class Rejecting:
    """A model whose provider reports what was spent and then rejects the answer, or hangs."""

    model = "strict-1"

    def __init__(self, *, hangs: bool = False) -> None:
        self.hangs = hangs
        self.reported = asyncio.Event()

    async def respond(self, request: ModelRequest) -> ModelResponse:
        request.report(Usage(5, 0, requests=1))
        request.report(Usage(10, 1, requests=1))
        self.reported.set()
        if self.hangs:
            await asyncio.Event().wait()
        raise ConnectionError("rejected")

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        yield TextDelta("I ")
        await self.respond(request)


async def test_what_was_reported_before_an_error(way: Way, session: StoredSession) -> None:
    with pytest.raises(ConnectionError):
        await way(Agent("A", model=Rejecting()), "go", session=session)
    assert await session.usage("model") == {"strict-1": ONE}


async def test_a_cancelled_run(session: StoredSession) -> None:
    model = Rejecting(hangs=True)
    running = asyncio.create_task(Runner.run(Agent("A", model=model), "go", session=session))
    await model.reported.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert await session.usage("turn") == {1: ONE}


async def test_a_stream_that_is_left_early(session: StoredSession) -> None:
    @function_tool
    async def waits() -> str:
        await asyncio.Event().wait()
        return "never"

    agent = Agent("A", model=Script([call("waits")]), tools=[waits])
    result = Runner.run_streamed(agent, "go", session=session)
    events = result.stream_events()
    await anext(events)
    await events.aclose()
    assert await session.usage("run") == {result.run_id: ONE}
    assert result.usage == ONE


async def test_an_output_of_another_type(way: Way, session: StoredSession) -> None:
    """The answer is stored before it is found to be none; it was recorded with it."""
    agent = Agent("A", model=Script([answer("no number")]), output_type=int)
    with pytest.raises(ValueError, match="does not fit int"):
        await way(agent, "go", session=session)
    assert [entry.usage for entry in await entries(session)] == [ONE]


# Agents within agents


async def test_a_run_within_a_run_has_a_record_of_its_own(way: Way, session: StoredSession) -> None:
    inner = Agent("Inner", model=Script([answer("inner")]))

    @function_tool
    async def ask() -> str:
        return str((await way(inner, "inner question", session=session)).final_output)

    outer = Agent("Outer", model=Script([call("ask")], [answer("done")]), tools=[ask])
    result = await way(outer, "go", session=session)
    assert await session.usage() == Usage(30, 3, requests=3)
    assert await session.usage("agent") == {"Outer": TWO, "Inner": ONE}
    assert await session.usage("turn") == {1: TWO, 2: ONE}
    assert result.usage == TWO
    assert len(await entries(session)) == 2


@pytest.mark.parametrize("fails", [False, True])
async def test_an_agent_as_a_tool_is_counted_for_the_turn(
    way: Way, session: StoredSession, fails: bool
) -> None:
    """It has no session of its own."""
    inner = Agent("Inner", model=Rejecting() if fails else Script([answer("inner")]))

    @function_tool
    async def ask() -> str:
        return str((await way(inner, "inner question")).final_output)

    await session.add_items([user("earlier"), answer("yes")])
    outer = Agent("Outer", model=Script([call("ask")], [answer("done")]), tools=[ask])
    result = await way(outer, "go", session=session)
    assert await session.usage("turn") == {2: Usage(30, 3, requests=3)}
    assert await session.usage("agent") == {"Outer": TWO, "Inner": ONE}
    assert result.usage == TWO


async def test_a_handoff_has_parts(way: Way, session: StoredSession) -> None:
    second = Agent("Second", model=Rejecting())
    first = Agent("First", model=Script([call("transfer_to_second")]), handoffs=[second])
    with pytest.raises(ConnectionError):
        await way(first, "go", session=session)
    assert await session.usage("agent") == {"First": ONE, "Second": ONE}
    assert await session.usage("model") == {"Script": ONE, "strict-1": ONE}
    assert await session.usage("run", turns=1) == {(await entries(session))[0].run: TWO}


# Policies and keys


@pytest.mark.parametrize("fails", [False, True])
async def test_without_a_lease(way: Way, session: StoredSession, fails: bool) -> None:
    await session.add_items([user("earlier"), answer("yes")])
    responses = [[asked()]] if fails else [[asked()], [answer("rain")]]
    config = RunConfig(session_policy="off")
    run = way(helpful(*responses), "go", session=session, run_config=config, max_turns=2)
    if fails:
        with pytest.raises(IndexError):
            await run
    else:
        await run
    assert await session.usage("turn") == {2: ONE if fails else TWO}
    assert len(await entries(session)) == 1


async def test_runs_without_a_lease_know_their_own_turns(session: StoredSession) -> None:
    config = RunConfig(session_policy="off")
    script = [[asked()], [asked(2)], [answer("rain")]]
    await asyncio.gather(
        *(
            Runner.run(helpful(*script), f"q{n}", session=session, run_config=config)
            for n in range(3)
        )
    )
    spent = await session.usage("turn")
    assert spent == dict.fromkeys((1, 2, 3), Usage(30, 3, requests=3))


async def test_on_a_branch_of_its_own(session: StoredSession) -> None:
    config = RunConfig(session_policy="branch")
    await Runner.run(helpful([answer("yes")]), "earlier", session=session)
    async with session.turn("under way"):
        run = Runner.run(helpful([answer("yes")]), "go", session=session, run_config=config)
        # In a context of its own, so that it is not part of the turn.
        result = await asyncio.get_running_loop().create_task(run, context=Context())
    assert result.branch is not None
    branch = StoredSession("session", session.store, branch=result.branch)
    assert await branch.usage("turn") == {1: ONE, 2: ONE}
    assert await session.usage(branches="all") == TWO
    assert await session.usage("turn") == {1: ONE}


async def test_a_replayed_run_records_nothing_twice(way: Way, session: StoredSession) -> None:
    config = RunConfig(key="order 17")
    agent = helpful([asked()], [answer("rain")])
    first = await way(agent, "go", session=session, run_config=config)
    again = await way(agent, "go", session=session, run_config=config)
    assert again.final_output == first.final_output
    assert await session.usage("run") == {first.run_id: TWO}
    assert len(await entries(session)) == 1
    assert again.usage == Usage()


async def test_a_second_start_with_a_key(way: Way, session: StoredSession) -> None:
    """The first has failed behind its question; both are of one turn."""
    config = RunConfig(key="order 17")
    with pytest.raises(MaxTurnsExceeded):
        await way(helpful([asked()]), "go", session=session, run_config=config, max_turns=1)
    await session.add_items([user("another")])
    await way(helpful([answer("rain")]), "go", session=session, run_config=config)
    assert await session.usage("turn") == {1: TWO}


# Sessions


class Loud(StoredSession):
    """Stores each item by itself, and says so."""

    async def add_items(self, items: Any, **options: Any) -> None:
        for item in items:
            await super().add_items([item], **options)


class Deaf(StoredSession):
    """Stores no answer of a model."""

    async def add_items(self, items: Any, **options: Any) -> None:
        kept = [item for item in items if item.get("role") == "user"]
        await super().add_items(kept, **options)


@pytest.mark.parametrize("kind", [Loud, Deaf])
@pytest.mark.parametrize("policy", ["queue", "off"])
async def test_sessions_with_their_own_add_items(
    way: Way, store: Store, kind: Callable[..., StoredSession], policy: Any
) -> None:
    session = kind("session", store)
    config = RunConfig(session_policy=policy)
    new = [user("q"), {"role": "developer", "content": "note"}]
    await way(helpful([asked()], [answer("rain")]), new, session=session, run_config=config)
    assert await session.usage("turn") == {1: TWO}
    assert len(await entries(session)) == 1


class Foreign:
    """A session of another library."""

    session_settings = None

    def __init__(self) -> None:
        self.session_id = "foreign"
        self.items: list[Item] = []

    async def get_items(self, limit: int | None = None) -> list[Item]:
        return self.items if limit is None else self.items[-limit:]

    async def add_items(self, items: list[Item]) -> None:
        self.items += items

    async def pop_item(self) -> Item | None:
        return self.items.pop()

    async def clear_session(self) -> None:
        self.items.clear()


@pytest.mark.parametrize("session", [None, Foreign()], ids=["none", "foreign"])
async def test_other_sessions_record_nothing(way: Way, session: Any) -> None:
    result = await way(helpful([answer("yes")]), "go", session=session)
    assert result.usage == ONE
    assert result.spending.place is None


async def test_a_run_without_a_session_can_be_stored(way: Way, session: StoredSession) -> None:
    result = await way(helpful([answer("yes")]), "go")
    for _ in range(2):
        await session.store_run_usage(result)
    assert await session.usage("run") == {result.run_id: ONE}


async def test_a_recorded_run_is_not_stored_again(way: Way, session: StoredSession) -> None:
    result = await way(helpful([answer("yes")]), "q1", session=session)
    await way(helpful([answer("yes")]), "q2", session=session)
    await session.store_run_usage(result)
    assert await session.usage("turn") == {1: ONE, 2: ONE}
    assert len(await entries(session)) == 2


# Crashes


@pytest.mark.parametrize("happened", [False, True])
@pytest.mark.parametrize("failing", range(2))
async def test_the_answer_and_its_usage_are_one_commit(
    way: Way, failing: int, happened: bool
) -> None:
    """From some commit on, all fail: the process has died there."""
    inner = MemoryStore()
    store, left = Failing(inner), [failing]

    def plan(verb: str) -> Failure | None:
        if verb != "commit":
            return None
        left[0] -= 1
        is_dead = left[0] < 0
        return Failure(ConnectionError("dead"), happened and left[0] == -1) if is_dead else None

    store.plan = plan
    session = StoredSession("session", store)
    config = RunConfig(lease_seconds=0.05)
    with pytest.raises(ConnectionError):
        await way(helpful([answer("yes")]), "go", session=session, run_config=config)
    seen = StoredSession("session", inner)
    is_answered = len(await seen.get_items()) == 2
    assert is_answered == (failing == 1 and happened)
    assert await seen.usage() == (ONE if is_answered else Usage())


async def test_a_lost_acknowledgement_records_once(way: Way, session: StoredSession) -> None:
    for lost in range(1, 5):
        calls = iter(range(100))
        store = Failing(
            session.store,
            lambda verb, calls=calls, lost=lost: (  # type: ignore[misc] # bound in the loop
                Failure(ConnectionError("lost"), happened=True)
                if verb == "commit" and next(calls) == lost
                else None
            ),
        )
        talk = StoredSession(f"talk {lost}", store)
        await way(helpful([asked()], [answer("rain")]), "go", session=talk)
        assert await talk.usage("turn") == {1: TWO}
        assert len(await entries(talk)) == 1


async def test_a_run_whose_session_is_deleted(session: StoredSession) -> None:
    """What it has spent does not bring the session back."""

    @function_tool(failure_error_function=None)
    async def delete() -> str:
        await session.store.delete("session")
        return "gone"

    agent = Agent("A", model=Script([call("delete")], [answer("done")]), tools=[delete])
    with pytest.raises(RuntimeError, match="lost its lease"):
        await Runner.run(agent, "go", session=session)
    assert await session.store.logs("session") == []


async def test_a_run_that_lost_its_lease_to_another(session: StoredSession) -> None:
    @function_tool(failure_error_function=None)
    async def lose() -> str:
        await session.store.remove(Log("session", ":lease"))
        return "lost"

    agent = Agent("A", model=Script([call("lose")]), tools=[lose])
    with pytest.raises(RuntimeError, match="lost its lease"):
        await Runner.run(agent, "go", session=session)
    assert await session.usage("turn") == {1: ONE}


async def test_a_failure_that_can_not_be_recorded_is_the_runs_own(way: Way) -> None:
    store = Failing(MemoryStore())
    session = StoredSession("session", store)

    class Outage(Script):
        async def respond(self, request: ModelRequest) -> ModelResponse:
            if not self.responses:
                store.plan = lambda _verb: Failure(ConnectionError("outage"))
                raise OSError("the model has failed")
            return await super().respond(request)

    config = RunConfig(session_policy="off")
    agent = Agent("A", model=Outage([asked()]), tools=[weather])
    with pytest.raises(OSError, match="the model has failed"):
        await way(agent, "go", session=session, run_config=config)


async def test_turns_by_hand_that_fail(session: StoredSession) -> None:
    counter = {"input_tokens": 0, "output_tokens": 0}

    async def fails() -> None:
        async with session.turn("q1", usage=counter) as turn:
            await turn.add([asked()], usage=Usage(10, 1))
            counter["input_tokens"] = 5
            raise OSError("broken")

    with pytest.raises(OSError, match="broken"):
        await fails()
    assert await session.usage("turn") == {1: Usage(15, 1, requests=2)}
    async with session.turn("q1", usage=lambda: counter) as turn:
        await turn.add([output()])
    assert await session.usage("turn") == {1: Usage(20, 1, requests=3)}
    async with session.turn("q2", policy="off") as turn:
        await turn.add([answer("yes")], usage=Usage(10, 1))
    assert (await session.usage("turn"))[2] == ONE
    assert len(await entries(session)) == 3


@pytest.mark.parametrize("wrong", [7, "10", {"tokens": 3}], ids=repr)
async def test_what_is_no_usage_is_refused(session: StoredSession, wrong: object) -> None:
    with pytest.raises(TypeError, match="usage is an object or a dict"):
        async with session.turn("q1") as turn:
            await turn.add([answer("yes")], usage=wrong)
    assert await session.get_items() == [user("q1")]
    with pytest.raises(OSError, match="first") as caught:
        async with session.turn("q1", usage=wrong):
            raise OSError("first")
    assert caught.value.__notes__ == ["the usage of the turn was not recorded: TypeError"]
    with pytest.raises(TypeError, match="usage is an object or a dict"):
        async with session.turn("q1", usage=wrong) as turn:
            await turn.add([answer("yes")], usage=Usage(10, 1))
    assert await session.usage() == ONE


@pytest.mark.parametrize("happened", [False, True])
async def test_the_end_of_a_failed_run_is_retried(
    way: Way, session: StoredSession, happened: bool
) -> None:
    """If its first try was made and only its answer was lost, the usage counts once."""
    commits = iter(range(100))

    def plan(verb: str) -> Failure | None:
        is_end = verb == "commit" and next(commits) == 1
        return Failure(ConnectionError("lost"), happened) if is_end else None

    flaky = StoredSession("session", Failing(session.store, plan))
    with pytest.raises(ConnectionError, match="rejected"):
        await way(Agent("A", model=Rejecting()), "go", session=flaky)
    assert await session.usage("turn") == {1: ONE}
    assert len(await session.store.read(Log("session", ":lease"))) == 0


async def test_a_result_that_is_stored_within_a_turn(session: StoredSession) -> None:
    result = await Runner.run(helpful([answer("yes")]), "elsewhere")
    async with session.turn("q1") as turn:
        await session.store_run_usage(result)
        await turn.add([answer("yes")])
    assert await session.usage("turn") == {1: ONE}
    assert (await entries(session))[0].run == result.run_id


async def test_the_result_of_a_stream_that_is_under_way(session: StoredSession) -> None:
    result = Runner.run_streamed(helpful([asked()], [answer("rain")]), "q1", session=session)
    async for _ in result:
        if result.usage == ONE:
            await session.store_run_usage(result)
    assert await session.usage("run") == {result.run_id: TWO}


async def test_what_waits_for_the_next_write_gives_way(session: StoredSession) -> None:
    """A write that removes milestones makes one outdated that is yet to be laid."""
    async with session.turn("q1") as turn:
        await turn.add([asked()])
        held = open_turn_on(session.store, Log("session"))
        assert held is not None
        held.extra_changes.append(Append(":turns", [b'{"position": 99, "turn": 7}']))
        cut = Remove("main", (await questions(session))[0])
        await held.write([cut, Remove(":turns")], session.store)
        await turn.add([answer("yes")], usage=Usage(10, 1))
    assert await session.get_items() == [user("q1"), answer("yes")]
    assert len(await session.store.read(Log("session", ":turns"))) == 0
    assert await session.usage("turn") == {1: ONE}
