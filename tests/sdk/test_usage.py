"""Usage of the real `agents.Runner` over our sessions."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import agents
import pytest
from agents import RunConfig as SDKRunConfig
from agents.models.openai_chatcompletions import OpenAIChatCompletionsModel
from openai import AsyncOpenAI

from tests.providers.openai_server import Reply, Server, serving
from turnlog import AsyncSQLiteSession, StoredSession, Usage
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

SPENT = Usage(20, 7, 5, 3, 1)


@pytest.fixture(params=["memory", "sqlite"])
async def session(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[StoredSession]:
    if request.param == "memory":
        yield StoredSession("session", MemoryStore())
        return
    async with AsyncSQLiteSession("session", tmp_path / "conversations.db") as session:
        yield session


@agents.function_tool
def weather(city: str) -> str:
    return f"rain in {city}"


def _replies(server: Server, number: int) -> None:
    function = {"name": "weather", "arguments": '{"city":"Oslo"}'}
    call = {"id": f"call_{number}", "type": "function", "function": function}
    server.says(Reply(message={"tool_calls": [call]}), Reply(message={"content": "rain"}))


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_result_of_its_runner(session: StoredSession, streamed: bool) -> None:
    with serving() as server:
        client = AsyncOpenAI(api_key="k", base_url=server.url)
        model = OpenAIChatCompletionsModel("gpt-5", client)
        agent = agents.Agent("Guest", model=model, tools=[weather])
        config = SDKRunConfig(tracing_disabled=True)
        options: dict[str, Any] = {"session": session, "run_config": config}
        agent.model_settings = agents.ModelSettings(include_usage=True)
        for number in (1, 2):
            _replies(server, number)
            result: Any
            if streamed:
                result = agents.Runner.run_streamed(agent, "weather?", **options)
                async for _ in result.stream_events():
                    pass
            else:
                result = await agents.Runner.run(agent, "weather?", **options)
            await session.store_run_usage(result)
            await session.store_run_usage(result)
            twice = SPENT + SPENT
            assert await session.usage("turn") == dict.fromkeys(range(1, number + 1), twice)
        await client.close()
    total = await session.usage()
    assert total == SPENT + SPENT + SPENT + SPENT
    assert total.input_details is not None
    assert total.input_details["cached_tokens"] == 20
    assert await session.usage("agent") == {"Guest": total}
    assert await session.usage("model") == {"gpt-5": total}
