"""The end of a turn: by its answer or its block, and when equal words are a new question."""

from typing import Any

import pytest

from tests.conversation.turns.leases import apart, turn_taken
from tests.fake_models import Echo, Script
from tests.sample_items import answer, call, output, user
from turnlog import Agent, LeaseLost, RunConfig, Runner, SQLiteSession, StoredSession
from turnlog.conversation.reading.run_input import run_input
from turnlog.items.json import Item
from turnlog.items.kinds import ends_turn
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

NOTE: Item = {"role": "developer", "content": "webhook: paid"}

REASONING: Item = {"type": "reasoning", "id": "rs_1", "summary": []}

#: The table of docs/runs.md.
ENDS = [
    answer("yes"),
    {"role": "assistant", "content": "yes"},
    {"type": "file_search_call", "id": "1", "queries": [], "status": "completed"},
    {"type": "web_search_call", "id": "1", "status": "completed"},
    {"type": "image_generation_call", "id": "1", "result": "", "status": "completed"},
    {"type": "code_interpreter_call", "id": "1", "code": "", "status": "completed"},
    {"type": "mcp_call", "id": "1", "name": "x", "arguments": "{}", "server_label": "s"},
]
GOES_ON = [
    user("go"),
    call("look"),
    output("seen"),
    {"type": "custom_tool_call", "call_id": "1", "name": "x", "input": ""},
    {"type": "custom_tool_call_output", "call_id": "1", "output": ""},
    {"type": "computer_call", "call_id": "1"},
    {"type": "computer_call_output", "call_id": "1", "output": {}},
    {"type": "local_shell_call", "call_id": "1"},
    {"type": "local_shell_call_output", "id": "1", "output": ""},
    {"type": "shell_call", "call_id": "1"},
    {"type": "shell_call_output", "call_id": "1", "output": []},
    {"type": "apply_patch_call", "call_id": "1"},
    {"type": "apply_patch_call_output", "call_id": "1", "status": "completed"},
    {"type": "mcp_approval_request", "id": "1"},
    {"type": "mcp_approval_response", "approval_request_id": "1", "approve": True},
    {"type": "tool_search_call", "execution": "client", "call_id": "1", "arguments": {}},
    {"type": "tool_search_call", "execution": "server", "arguments": {}},
    {"type": "tool_search_output", "call_id": "1", "tools": []},
    {"type": "program", "call_id": "1", "code": ""},
    {"type": "program_output", "call_id": "1", "result": ""},
    {"type": "item_reference", "id": "msg_1"},
    {"type": "a_kind_to_come_call"},
]
SAYS_NOTHING = [
    NOTE,
    {"role": "system", "content": "be brief"},
    REASONING,
    {"type": "mcp_list_tools", "server_label": "s", "tools": []},
    {"type": "compaction", "encrypted_content": ""},
    {"type": "compaction_trigger"},
    {"type": "additional_tools", "tools": []},
    {"type": "configuration_update"},
]


def kind(item: Item) -> str:
    return str(item.get("type") or item["role"])


async def asked_again(session: StoredSession) -> bool:
    """Whether the question "go" is a new one now."""
    merged = await run_input(session, [user("go")])
    return merged.fresh == [user("go")]


@pytest.mark.parametrize("item", ENDS, ids=kind)
async def test_an_answer(item: Item) -> None:
    session = SQLiteSession("s")
    await session.add_items([user("go"), item])
    assert ends_turn(item) is True
    assert await asked_again(session)


@pytest.mark.parametrize("item", GOES_ON, ids=kind)
async def test_work_that_is_no_answer(item: Item) -> None:
    session = SQLiteSession("s")
    await session.add_items([user("go")] + [item] * (item != user("go")))
    assert ends_turn(item) is False
    assert not await asked_again(session)


@pytest.mark.parametrize("item", SAYS_NOTHING, ids=kind)
@pytest.mark.parametrize("before", [[answer("yes")], [call("look"), output("seen")], []])
async def test_what_says_nothing_of_it(item: Item, before: list[Item]) -> None:
    session = SQLiteSession("s")
    await session.add_items([user("go"), *before, item])
    assert ends_turn(item) is None
    assert await asked_again(session) == (before == [answer("yes")])


# The end of a block


@pytest.fixture
def session() -> StoredSession:
    return StoredSession("session", MemoryStore())


async def stop_at_a_tool(session: StoredSession, *more: Item, number: int = 1) -> list[Item]:
    """A loop that ends with what a tool gave; what it had to send."""
    async with session.turn("go") as turn:
        sent = [*turn.input]
        await turn.add([call("look", number)])
        await turn.add([output("seen", number), *more])
    return sent


@pytest.mark.parametrize("more", [[], [NOTE]])
async def test_a_block_that_is_left_behind_an_output(
    session: StoredSession, more: list[Item]
) -> None:
    stored: list[Item] = []
    for number in range(3):
        sent = await stop_at_a_tool(session, *more, number=number)
        assert sent == [*stored, user("go")]
        stored += [user("go"), call("look", number), output("seen", number), *more]
    assert await session.get_items() == stored
    assert len(await session.store.read(session._log().beside("ended"))) == 1


async def test_a_note_that_comes_later_leaves_it_over(session: StoredSession) -> None:
    await stop_at_a_tool(session)
    await session.add_items([NOTE])
    assert await asked_again(session)


async def break_off(session: StoredSession) -> None:
    async with session.turn("go") as turn:
        await turn.add([call("look", 2), output("seen", 2)])
        raise ConnectionError("hung up")


async def test_one_that_ends_with_an_error_is_taken_up_again(session: StoredSession) -> None:
    await stop_at_a_tool(session)
    with pytest.raises(ConnectionError):
        await break_off(session)
    assert not await asked_again(session)


@pytest.mark.parametrize("added", [[], [call("look")]])
async def test_one_that_waits_for_something_is_not_over(
    session: StoredSession, added: list[Item]
) -> None:
    for _ in range(2):
        async with session.turn("go") as turn:
            await turn.add(added if len(turn.input) == 1 else [])
    assert await session.get_items() == [user("go"), *added]


@pytest.mark.parametrize("added", [[], [call("look")]])
async def test_a_turn_may_be_ended(session: StoredSession, added: list[Item]) -> None:
    for _ in range(2):
        async with session.turn("go") as turn:
            await turn.add(added)
            await turn.end()
    assert await session.get_items() == [user("go"), *added] * 2
    with pytest.raises(LeaseLost):
        await turn.end()


async def test_one_that_takes_no_lease(session: StoredSession) -> None:
    for _ in range(2):
        async with session.turn("go", policy="off") as turn:
            await turn.add([call("look"), output("seen")])
    assert await session.get_items() == [user("go"), call("look"), output("seen")] * 2


@pytest.mark.parametrize("response", [[], [REASONING]])
async def test_a_run_that_came_to_its_end_is_over(
    session: StoredSession, response: list[Item]
) -> None:
    """Whatever the model answered with."""
    for _ in range(2):
        model = Script([call("look")], response)
        await Runner.run(Agent("A", model=model), "go", session=session)
    items = await session.get_items()
    assert items.count(user("go")) == 2


async def test_a_copy_has_turns_that_are_over(session: StoredSession) -> None:
    await stop_at_a_tool(session)
    async with turn_taken(session):
        branch = await apart(_on_a_branch(session))
    items = await branch.get_items()
    whole = [user("go"), call("look"), output("seen")]
    assert items == [*whole, user("go"), answer("saw 4")]


async def _on_a_branch(session: StoredSession) -> StoredSession:
    config = RunConfig(session_policy="branch")
    agent = Agent("A", model=Echo())
    result = await Runner.run(agent, "go", session=session, run_config=config)
    assert result.branch
    return StoredSession(session.session_id, session.store, branch=result.branch)


class Overriding(StoredSession):
    """Reads through a method of its own."""

    async def get_items(self, limit: int | None = None) -> Any:
        return await super().get_items(limit)


async def test_a_session_that_overrides_get_items() -> None:
    session = Overriding("session", MemoryStore())
    for _ in range(2):
        await stop_at_a_tool(session)
    assert await session.get_items() == [user("go"), call("look"), output("seen")] * 2


async def test_a_mark_that_cannot_be_read_is_none(session: StoredSession) -> None:
    await stop_at_a_tool(session)
    await session.store.append(session._log().beside("ended"), [b"\xff"])
    assert not await asked_again(session)


async def test_a_plain_run_reads_and_writes_no_mark(session: StoredSession) -> None:
    await Runner.run(Agent("A", model=Echo()), "go", session=session)
    names = [head.log.name for head in await session.store.logs("session")]
    assert names == [":lease", "main"]
