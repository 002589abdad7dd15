"""Runs on sessions that compact themselves: found by the SDK's hooks, behind the run."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextvars import Context
from typing import Any

import pytest
from agents.memory import OpenAIResponsesCompactionSession as Theirs
from openai import AsyncOpenAI

from tests.agents.runs import session, weather
from tests.fake_models import Echo
from tests.providers.openai_server import Failing, Reply, Server, serving
from tests.sample_items import answer, call, user
from tests.strangers import TALK, Stranger
from turnlog import (
    Agent,
    ModelRequest,
    ModelResponse,
    OfflineModel,
    OpenAIResponsesCompactionSession,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    RunResult,
    StoredSession,
)
from turnlog.items.json import Item
from turnlog.items.text import joined_text

__all__ = ["session"]

pytestmark = [pytest.mark.anyio, pytest.mark.stores("memory", "sqlite")]

SUMMARY: Item = {"type": "compaction", "id": "cmp_1", "encrypted_content": "sealed"}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="key", base_url=server.url, max_retries=0) as client:
        yield client


def compacting(
    inner: Any, client: AsyncOpenAI, make: Any = None, at: int = 1, **options: Any
) -> Any:
    def is_time(context: dict[str, Any]) -> bool:
        return len(context["compaction_candidate_items"]) >= at

    make = make or OpenAIResponsesCompactionSession
    return make("user", inner, client=client, should_trigger_compaction=is_time, **options)


def says(text: str) -> Reply:
    return Reply([answer(text, id="msg_1", status="completed")])


async def ask(text: str, on: Any, client: AsyncOpenAI, **config: Any) -> RunResult:
    model = OpenAIResponsesModel("gpt-5-mini", client)
    agent = Agent("Assistant", model=model, tools=[weather])
    return await Runner.run(agent, text, session=on, run_config=RunConfig(**config))


def texts(items: list[Item]) -> list[str]:
    return [joined_text(each.get("content")) or each["type"] for each in items]


def bodies(server: Server, path: str) -> list[Item]:
    return [each.body for each in server.requests if each.path.endswith(path)]


async def test_a_summary_is_appended_behind_the_run(
    session: StoredSession, server: Server, client: AsyncOpenAI
) -> None:
    wrapper = compacting(session, client)
    server.says(says("1"), Reply([user("one"), SUMMARY]), says("2"), Reply([user("two"), SUMMARY]))
    await ask("one", wrapper, client)
    assert await session.get_items() == [user("one"), SUMMARY]
    await ask("two", wrapper, client)
    assert await session.get_items() == [user("two"), SUMMARY]
    assert texts(await session.history()) == ["one", "1", "two", "2"]
    second = bodies(server, "/responses")[1]["input"]
    assert texts(second) == ["one", "compaction", "two"]
    for body in bodies(server, "/compact"):
        assert body["model"] == "gpt-5-mini"
        assert not any("id" in item for item in body["input"])
    assert await session.drop_summary()
    assert texts(await session.get_items()) == ["one", "compaction", "two", "2"]
    assert await session.drop_summary()
    assert texts(await session.get_items()) == ["one", "1", "two", "2"]


async def test_a_model_that_cannot_read_it_is_shown_what_it_stands_for(
    session: StoredSession, server: Server, client: AsyncOpenAI
) -> None:
    shown: list[Item] = []

    class Other(Echo):
        async def respond(self, request: ModelRequest) -> ModelResponse:
            shown.extend(request.items)
            return await super().respond(request)

    wrapper = compacting(session, client, model="gpt-5-mini", at=3)
    server.says(says("1"), says("2"), says("3"), Reply([SUMMARY]))
    for text in ("one", "two", "three"):
        await ask(text, wrapper, client)
    assert await session.get_items() == [SUMMARY]
    await Runner.run(Agent("Other", model=Other()), "four", session=wrapper)
    assert texts(shown) == ["one", "1", "two", "2", "three", "3", "four"]


async def test_a_run_on_another_branch_leaves_this_one(
    session: StoredSession, server: Server, client: AsyncOpenAI
) -> None:
    """What is not covered: the turn under way, and the branch that the run has made."""
    async with session.turn("first") as turn:
        server.says(says("1"))

        async def other() -> None:
            fresh = StoredSession(session.session_id, session.store)
            await ask("one", compacting(fresh, client), client, session_policy="branch")

        await asyncio.get_running_loop().create_task(other(), context=Context())
        await turn.add([answer("ok")])
    assert not bodies(server, "/compact")
    assert texts(await session.get_items()) == ["first", "ok"]


async def test_the_usage_belongs_to_the_run(
    session: StoredSession, server: Server, client: AsyncOpenAI
) -> None:
    server.says(says("1"), Reply([SUMMARY]))
    result = await ask("one", compacting(session, client), client)
    assert result.usage.requests == 2
    assert (await session.usage("run"))[result.run_id].requests == 2
    records = await session.store.read(session._log().beside("summaries"))
    assert b'"input_tokens"' in records.payloads[0]
    assert b'"gpt-5-mini"' in records.payloads[0]


async def test_a_turn_with_tools_is_compacted_whole(
    session: StoredSession, server: Server, client: AsyncOpenAI
) -> None:
    calls = Reply([call("weather", arguments='{"city": "Oslo"}', id="fc_1", status="completed")])
    server.says(calls, says("rain"), Reply([user("Oslo?"), SUMMARY]))
    await ask("Oslo?", compacting(session, client), client)
    kinds = [item.get("type", "message") for item in bodies(server, "/compact")[0]["input"]]
    assert kinds == ["message", "function_call", "function_call_output", "message"]
    assert await session.get_items() == [user("Oslo?"), SUMMARY]


async def test_a_failure_leaves_the_run_and_the_history(
    session: StoredSession, server: Server, client: AsyncOpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    server.says(says("1"), Failing(500), says("2"), Reply([user("two"), SUMMARY]))
    wrapper = compacting(session, client)
    with caplog.at_level(logging.WARNING):
        assert (await ask("one", wrapper, client)).final_output == "1"
    assert "is not compacted: InternalServerError; run_compaction() by hand" in caplog.text
    assert "had an error" not in caplog.text, "what the provider says may quote the conversation"
    assert texts(await session.get_items()) == ["one", "1"]
    await ask("two", wrapper, client)
    assert await session.get_items() == [user("two"), SUMMARY]


async def test_behind_a_limit_nothing_that_it_hides_is_compacted(
    session: StoredSession, server: Server, client: AsyncOpenAI
) -> None:
    await session.add_items(TALK)
    server.says(says("3"))
    await ask("three", compacting(session, client), client, session_settings={"limit": 2})
    assert not bodies(server, "/compact")
    assert texts(await session.get_items()) == ["one", "1", "two", "2", "three", "3"]


async def test_what_others_have_added_is_not_compacted(
    session: StoredSession, server: Server, client: AsyncOpenAI
) -> None:
    """The run of another process on the same conversation ends between."""
    other = StoredSession(session.session_id, session.store)
    wrapper = compacting(session, client)
    run = wrapper.run_compaction

    async def late(args: Any, *, wrapper: Any) -> None:
        await other.add_items([user("theirs"), answer("ok")])
        await run(args, wrapper=wrapper)

    wrapper.run_compaction = late
    server.says(says("1"))
    await ask("one", wrapper, client)
    assert texts(await session.get_items()) == ["one", "1", "theirs", "ok"]


async def test_a_run_that_raises_is_not_compacted(
    session: StoredSession, server: Server, client: AsyncOpenAI
) -> None:
    server.says(Failing(500))
    with pytest.raises(Exception, match="500"):
        await ask("one", compacting(session, client), client)
    assert not bodies(server, "/compact")
    assert texts(await session.get_items()) == ["one"]


async def test_a_model_that_cannot_compact(session: StoredSession, client: AsyncOpenAI) -> None:
    """It is said before anything is stored."""
    with pytest.raises(ValueError, match=r"model=…"):
        await Runner.run(
            Agent("A", model=OfflineModel()), "one", session=compacting(session, client)
        )
    assert await session.get_items() == []


@pytest.mark.stores("memory")
@pytest.mark.parametrize("make", [OpenAIResponsesCompactionSession, Theirs])
async def test_over_a_session_of_others(server: Server, client: AsyncOpenAI, make: Any) -> None:
    """Ours and the SDK's class, which knows nothing of our Runner."""
    shelf: dict[str, list[Item]] = {}
    wrapper = compacting(Stranger("user", shelf), client, make, model="gpt-5-mini")
    server.says(says("1"), Reply([user("one"), SUMMARY]), says("2"), Reply([user("two"), SUMMARY]))
    result = await ask("one", wrapper, client)
    assert shelf["user"] == [user("one"), SUMMARY]
    assert result.usage.requests == 2
    await ask("two", wrapper, client)
    assert shelf["user"] == [user("two"), SUMMARY]
