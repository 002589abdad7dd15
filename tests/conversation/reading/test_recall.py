"""The input of a run: what is shown of odd conversations, and which input is a retry."""

from collections.abc import Callable
from typing import Any

import agents as sdk
import pytest

from tests.conversation.reading.turns import first, turn, turns
from tests.fake_models import Broken, Echo
from tests.providers.openai_rules import check_chat, check_items
from tests.sample_items import answer, call, output, user
from turnlog import (
    Agent,
    RunConfig,
    Runner,
    SessionSettings,
    SQLiteSession,
    StoredSession,
    function_tool,
)
from turnlog.convert import chat_messages, responses_input
from turnlog.items.json import Item, encode_all
from turnlog.items.kinds import is_question
from turnlog.items.repair import repair
from turnlog.items.tokens import estimated_tokens
from turnlog.items.turns import settled
from turnlog.records import Log, Records
from turnlog.stores.memory import MemoryStore
from turnlog.testing.counting import Counting

pytestmark = pytest.mark.anyio

NOTE: Item = {"role": "developer", "content": "webhook: paid"}
DONE = {"id": "ig_1", "status": "completed"}
PICTURE: Item = {"type": "image_generation_call", **DONE, "result": "A" * 1_000_000}


async def shown(session: Any, text: Any, **options: Any) -> list[Item]:
    """What the model is shown of a run."""
    model = Echo()
    config = RunConfig(**options)
    await Runner.run(Agent("A", model=model), text, session=session, run_config=config)
    return model.requests[0].items


def accepted(items: list[Item]) -> None:
    assert repair(items) == items
    check_items(responses_input(items))
    check_chat(chat_messages(items))


# All that is shown is mended together


async def test_what_a_callback_cuts_is_mended() -> None:
    session = SQLiteSession("s")
    await session.add_items([*turn(0, 3), *turn(1, 3)])
    items = await shown(session, "more?", session_input_callback=lambda h, n: h[-10:] + n)
    accepted(items)
    assert items[-1] == user("more?")


async def test_an_output_that_comes_with_the_new_input() -> None:
    session = SQLiteSession("s")
    await session.add_items([user("pay?"), call("look", 1)])
    async with session.turn([output("seen", 1)]) as begun:
        assert begun.input == [user("pay?"), call("look", 1), output("seen", 1)]


async def test_a_request_for_approval_that_the_user_passed_over() -> None:
    request = {"type": "mcp_approval_request", "id": "a1", "name": "pay"}
    session = SQLiteSession("s")
    await session.add_items([user("pay?"), request])
    assert await shown(session, "never mind") == [user("pay?"), user("never mind")]


async def test_interrupted_calls_are_marked_or_left_out() -> None:
    session = SQLiteSession("s")
    await session.add_items([user("q"), call("look", 1), user("r"), answer("a")])
    assert len(await session.view()) == 5
    left = await session.view(interrupted="leave out")
    assert left == [user("q"), user("r"), answer("a")]


# What is a retry


@pytest.mark.parametrize("settings", [{}, {"max_turns": 1}, {"limit": 1}, {"limit": 3}])
@pytest.mark.parametrize("begin", [{"role": "developer", "content": "Monday"}, user("w")])
async def test_a_retry_of_several_items(settings: Any, begin: Item) -> None:
    new = [begin, user("x")]
    session = SQLiteSession("s", settings=SessionSettings(**settings))
    await session.add_items(
        [user("q0"), answer("a0"), *new, call("look", 1), output("seen", 1), call("look", 2)]
    )
    await shown(session, new)
    assert (await session.get_items(-1)).count(user("x")) == 1


@pytest.mark.parametrize("end", [[answer("ok"), NOTE], [PICTURE], [answer("here"), PICTURE]])
async def test_what_was_answered_is_asked_anew(end: list[Item]) -> None:
    session = SQLiteSession("s")
    await session.add_items([user("yes"), *end])
    assert (await shown(session, "yes"))[-1] == user("yes")
    assert (await session.get_items()).count(user("yes")) == 2
    assert settled([user("yes"), *end]) == 1 + len(end)


async def test_a_note_answers_nothing() -> None:
    session = SQLiteSession("s")
    await session.add_items([user("yes"), NOTE])
    assert await shown(session, "yes") == [user("yes"), NOTE]


def test_what_cannot_be_read_leaves_a_turn_settled() -> None:
    assert settled([user("q"), answer("a"), None]) == 3
    assert settled([user("q"), answer("a"), user("r"), None]) == 2


async def test_a_run_in_a_tool_is_no_retry_of_the_run_around_it() -> None:
    session, inner = SQLiteSession("s"), Echo()

    class Asks(Echo):
        async def respond(self, request: Any) -> Any:
            response = await super().respond(request)
            if len(self.requests) == 1:
                response.output[:] = [call("ask")]
            return response

    @function_tool
    async def ask() -> str:
        result = await Runner.run(Agent("B", model=inner), "same words", session=session)
        return str(result.final_output)

    await Runner.run(Agent("A", model=Asks(), tools=[ask]), "same words", session=session)
    assert (await session.get_items()).count(user("same words")) == 2
    assert inner.requests[0].items == [user("same words")] * 2, "the call is not interrupted"


@pytest.mark.parametrize("behind", [False, True])
async def test_a_note_of_a_callback_is_shown_once(*, behind: bool) -> None:
    def callback(history: list[Item], new: list[Item]) -> list[Item]:
        return [*history, *new, NOTE] if behind else [*history, NOTE, *new]

    session, model = SQLiteSession("s"), Broken(1)
    config = RunConfig(session_input_callback=callback)
    agent = Agent("A", model=model)
    with pytest.raises(ConnectionError):
        await Runner.run(agent, "q", session=session, run_config=config)
    await Runner.run(agent, "q", session=session, run_config=config)
    assert model.shown[0] == model.shown[1]
    assert len(model.shown[0]) == 2
    assert (await session.get_items()).count(NOTE) == 1


# Tokens


async def test_a_type_may_be_anything_inside_an_item() -> None:
    schema = {"type": "object", "properties": {"type": {"type": ["string", "null"]}}}
    tools: Item = {"type": "mcp_list_tools", "id": "l", "server_label": "x", "tools": [schema]}
    assert estimated_tokens(tools) < 40


def test_a_picture_that_was_made_is_a_picture() -> None:
    assert estimated_tokens(PICTURE) < 1100


async def test_every_item_is_counted_once() -> None:
    counted: list[int] = []

    def count(item: Item) -> int:
        counted.append(id(item))
        return 1

    session = SQLiteSession("s")
    await session.add_items([item for n in range(500) for item in (user(f"q{n}"), call("look", n))])
    view = await session.view(settings=SessionSettings(max_tokens=600, token_counter=count))
    assert len(view) == 600
    assert len(counted) < 3 * 600, "but for the marks, which are made anew"


# Sessions that override get_items


class Filtering(SQLiteSession):
    """Filters before it cuts."""

    async def get_items(self, limit: int | None = None) -> list[Item]:
        items = [item for item in await super().get_items() if "quiet" not in item]
        return items if limit is None else items[-limit:]


class Cutting(SQLiteSession):
    """Cuts before it filters."""

    async def get_items(self, limit: int | None = None) -> list[Item]:
        return [item for item in await super().get_items(limit) if "quiet" not in item]


class Careless(SQLiteSession):
    """Takes 0 for none."""

    async def get_items(self, limit: int | None = None) -> list[Item]:
        items = await super().get_items(limit)
        return items[-limit:] if limit else items


class Short(SQLiteSession):
    """Knows no limit."""

    async def get_items(self) -> list[Item]:  # type: ignore[override]
        return [item for item in await super().get_items() if "quiet" not in item]


QUIET: Item = {"role": "developer", "content": "hm", "quiet": True}


@pytest.mark.parametrize("make", [Filtering, Cutting, Careless, Short])
@pytest.mark.parametrize("settings", [{}, {"max_turns": 3}, {"max_turns": 4, "step": 2}])
async def test_overrides_are_asked(make: Callable[..., Any], settings: Any) -> None:
    session = make("s", settings=SessionSettings(**settings))
    quiet = [] if make is Careless else [QUIET] * 8
    for number in range(20):
        await session.add_items([user(f"q{number}"), *quiet, answer(f"a{number}")])
    begin = {None: 0, 3: 17, 4: 16}[settings.get("max_turns")]
    view = await session.view()
    assert first(view) == begin
    assert len(view) == 2 * (20 - begin)
    await session.add_items([user("again"), *quiet * 8, call("look", 1), output("seen", 1)])
    assert (await shown(session, "again"))[-3:] == [
        user("again"),
        call("look", 1),
        output("seen", 1),
    ]


async def test_a_limit_of_a_foreign_session_is_overruled() -> None:
    theirs = sdk.SQLiteSession("s", session_settings=sdk.SessionSettings(limit=10))
    items: Any = turns(30)
    await theirs.add_items(items)
    settings = SessionSettings(limit=-1)
    assert first(await shown(theirs, "more?", session_settings=settings)) == 0
    settings = SessionSettings(limit=100, max_turns=4, step=4)
    assert first(await shown(theirs, "more?", session_settings=settings)) == 28
    theirs.close()


# Milestones and reads


async def test_a_milestone_that_cannot_be_read_is_passed_over() -> None:
    store = MemoryStore()
    settings = SessionSettings(max_turns=6, step=3)
    session = StoredSession("s", store, session_settings=settings)
    for number in range(20):
        await shown(session, f"q{number}")
    for garbage in (b"garbage", b"{}", b'{"position": [], "turn": 1}'):
        await store.append(Log("s").beside("turns"), [garbage])
    assert first(await session.view()) == 15


@pytest.mark.parametrize(
    ("settings", "most"),
    [
        (SessionSettings(limit=2, step=2), 100),
        (SessionSettings(limit=0, step=2), 40),
        (SessionSettings(max_turns=2, step=1), 60),
    ],
)
async def test_a_step_that_changes_nothing_reads_nothing(
    settings: SessionSettings, most: int
) -> None:
    store = Counting(MemoryStore())
    await store.append(Log("s"), encode_all([*turns(500), *turn(500, 2)]))
    session = StoredSession("s", store, session_settings=settings)
    await shown(session, "more?")
    assert store.records < most


async def test_many_void_milestones_are_passed_over_quickly() -> None:
    store = Counting(MemoryStore())
    settings = SessionSettings(max_turns=4, step=2)
    session = StoredSession("s", store, session_settings=settings)
    for number in range(300):
        await shown(session, f"q{number}")
    for _ in range(2 * 290):
        await session.pop_item()
    reads = 0

    class Reads(Counting):
        async def read(self, log: Log, **bounds: Any) -> Any:
            nonlocal reads
            reads += 1
            return await super().read(log, **bounds)

    session = StoredSession("s", Reads(store), session_settings=settings)
    for number in range(10, 14):
        reads = 0
        items = await shown(session, f"q{number}")
        assert first(items) == -(-(number - 4) // 2) * 2
        assert reads < 12


async def test_positions_are_not_worked_out_for_nothing() -> None:
    class Costly(list[int]):
        def __iter__(self) -> Any:
            raise AssertionError("all positions were asked for")

    class Store(Counting):
        async def read(self, log: Log, **bounds: Any) -> Any:
            found = await super().read(log, **bounds)
            return Records(Costly(found.positions), found.payloads, found.times)

    session = StoredSession("s", Store(MemoryStore()))
    await session.add_items(turns(50))
    assert await session.get_items() == turns(50)
    assert await session.get_items(10) == turns(50)[-10:]
    assert first(await session.view(settings={"max_turns": 30})) == 20


async def test_runs_of_unreadable_records_are_read_in_growing_steps() -> None:
    store = Counting(MemoryStore())
    await store.append(Log("s"), [b'{"role": "user"}'] + [b"not JSON"] * 5000)
    session = StoredSession("s", store)
    assert await session.get_items(1) == [{"role": "user"}]
    assert store.records < 10_000


async def test_a_pop_between_two_reads_does_not_tear_the_window() -> None:
    class Popped(Counting):
        """Somebody pops all of it and adds something after the first read."""

        async def read(self, log: Log, **bounds: Any) -> Any:
            found = await super().read(log, **bounds)
            if not self.records - len(found) and log.name == "main":
                await self.inner.remove(log, after=found.positions[0] - 1)
                await self.inner.append(log, [b'{"role": "user", "content": "q99"}'])
            return found

    store = Popped(MemoryStore())
    await store.inner.append(Log("s"), [])
    await StoredSession("s", store.inner).add_items([i for n in range(10) for i in turn(n, 6)])
    session = StoredSession("s", store, session_settings=SessionSettings(max_turns=4))
    questions = [item["content"] for item in await session.view() if is_question(item)]
    whole = [item["content"] for item in await session.get_items(-1) if is_question(item)]
    assert questions == whole[-4:]
