"""The recall tool: a model gets what was shortened, and nothing else."""

import asyncio
from contextvars import Context
from pathlib import Path

import pytest

from tests.fake_models import Script
from tests.items.test_shortening import LONG, talk
from tests.sample_items import answer, call, user
from turnlog import (
    Agent,
    Compaction,
    Item,
    ModelRequest,
    ModelResponse,
    RunConfig,
    Runner,
    Shorten,
    StoredSession,
    ToolCallOutputItem,
    recall_tool,
    sync,
)
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio


@pytest.fixture
async def session() -> StoredSession:
    session = StoredSession("s", MemoryStore())
    await session.add_items(talk(6))
    return session


async def recalled(session: StoredSession, given: str) -> object:
    script = Script([call("recall", 99, f'{{"id": "{given}"}}')], [answer("ok")])
    agent = Agent("A", model=script, tools=[recall_tool(session)])
    config = RunConfig(compaction=Compaction(shorten=Shorten(keep=1, step=1)))
    result = await Runner.run(agent, "what was it?", session=session, run_config=config)
    assert "call recall with id" in str(script.requests[0].items)
    [item] = [each for each in result.new_items if isinstance(each, ToolCallOutputItem)]
    return item.output


async def test_a_model_gets_the_original(session: StoredSession) -> None:
    view = await session.view(settings={"shorten": Shorten(keep=1, step=1)})
    given = view[2]["output"].split('id "')[1].split('"')[0]
    assert given == "3"
    assert await recalled(session, given) == LONG


@pytest.mark.parametrize("given", ["1", "0", "-3", "777", "x", "³", "9" * 30, ""])
async def test_other_ids_give_nothing(session: StoredSession, given: str) -> None:
    assert "There is no output with the id" in str(await recalled(session, given))


async def test_what_a_summary_covers_can_be_recalled(session: StoredSession) -> None:
    async def summed(items: list[Item]) -> str:
        return 'the file was shortened: call recall with id "3"'

    await session.compact(summed, keep=2)
    assert await recalled(session, "3") == LONG


def test_a_blocking_session_has_it_too(tmp_path: Path) -> None:
    with sync.SQLiteSession(tmp_path / "c.db", session_id="s") as session:
        session.add_items(talk(1))
        script = Script([call("recall", 99, '{"id": "3"}')], [answer("ok")])
        agent = Agent("A", model=script, tools=[recall_tool(session)])
        result = Runner.run_sync(agent, "q", session=session)
        assert result.new_items[1].raw_item["output"] == LONG


def test_other_sessions_have_none() -> None:
    with pytest.raises(TypeError, match="needs a session of Turnlog"):
        recall_tool(object())  # type: ignore[arg-type]


async def test_it_reads_the_branch_of_the_session(session: StoredSession) -> None:
    fork = await session.fork("other", at=2)
    await fork.add_items([user("q"), answer("a")])
    tool = recall_tool(fork)
    await fork.switch_to("main")
    assert tool.name == "recall"
    script = Script([call("recall", 99, '{"id": "23"}')], [answer("ok")])
    result = await Runner.run(Agent("A", model=script, tools=[tool]), "q", session=fork)
    assert result.new_items[1].raw_item["output"] == LONG


async def test_it_reads_the_branch_that_a_run_was_given(session: StoredSession) -> None:
    """The markers that the run sees name records of that branch."""
    model = Recalling()
    agent = Agent("A", model=model, tools=[recall_tool(session)])
    config = RunConfig(
        session_policy="branch", compaction=Compaction(shorten=Shorten(keep=1, step=1))
    )
    other = StoredSession("s", session.store)
    async with other.turn("a run that is under way"):
        run = Runner.run(agent, "what was it?", session=session, run_config=config)
        result = await asyncio.create_task(run, context=Context())
    assert result.branch != "main"
    [item] = [each for each in result.new_items if isinstance(each, ToolCallOutputItem)]
    assert item.output == LONG


class Recalling:
    """A model that asks for the first output that it is not shown."""

    async def respond(self, request: ModelRequest) -> ModelResponse:
        if request.items[-1].get("type") == "function_call_output":
            return ModelResponse([answer("ok")])
        marker = next(item["output"] for item in request.items if "output" in item)
        given = marker.split('id "')[1].split('"')[0]
        return ModelResponse([call("recall", 99, f'{{"id": "{given}"}}')])
