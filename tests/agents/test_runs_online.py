"""Whole runs through the real `openai` client, against a server that refuses what OpenAI's does."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from tests.agents.ways import Way, streamed
from tests.providers.openai_server import Failing, Reply, Server, serving
from tests.sample_items import answer, call, output, user
from turnlog import (
    Agent,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    SessionSettings,
    SQLiteSession,
    StoredSession,
    function_tool,
)
from turnlog.agents.models.model import Model
from turnlog.convert import chat_messages
from turnlog.items.json import Item

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="test", base_url=server.url, max_retries=0) as client:
        yield client


@pytest.fixture(params=["responses", "chat"])
def model(request: pytest.FixtureRequest, client: AsyncOpenAI) -> Model:
    if request.param == "responses":
        return OpenAIResponsesModel("gpt-5", client)
    return OpenAIChatCompletionsModel("gpt-5", client)


def said(text: str) -> Item:
    return answer(text, id="msg_1", status="completed")


def called(name: str, number: int, arguments: str = "{}") -> Item:
    return call(name, number, arguments, id=f"fc_{number}", status="completed")


def reply(*items: Item, **how: Any) -> Reply:
    """An answer that says the same through either API."""
    message: Item = {"content": None}
    for item in items:
        if item["type"] == "message":
            message["content"] = item["content"][0]["text"]
        if item["type"] == "function_call":
            function = {"name": item["name"], "arguments": item["arguments"]}
            one = {"id": item["call_id"], "type": "function", "function": function}
            message.setdefault("tool_calls", []).append(one)
    return Reply(list(items), message, **how)


THOUGHT: Item = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "sealed"}


@function_tool
async def weather(city: str) -> str:
    """Tells the weather."""
    return f"rain in {city}"


def kinds(items: list[Item]) -> list[str]:
    return [item.get("role") or item["type"] for item in items]


async def test_tools_and_a_handoff(way: Way, server: Server, model: Model) -> None:
    session = SQLiteSession("s")
    calls = [called("weather", n, f'{{"city":"{n}"}}') for n in (1, 2)]
    server.says(reply(THOUGHT, *calls), reply(called("transfer_to_b", 3)), reply(said("done")))
    second = Agent("B", "Be brief.", model)
    agent = Agent("A", "Be kind.", model, tools=[weather], handoffs=[second])
    result = await way(agent, "go", session=session)
    assert result.final_output == "done"
    server.says(reply(said("more")))
    assert (await way(second, "and?", session=session)).final_output == "more"
    stored = kinds(await session.get_items())
    assert [kind for kind in stored if kind != "reasoning"] == [
        *("user", "function_call", "function_call"),
        *("function_call_output", "function_call_output"),
        *("function_call", "function_call_output", "assistant", "user", "assistant"),
    ]


@pytest.mark.parametrize("failures", [1, 2, 3])
@pytest.mark.parametrize("after_tools", [False, True])
async def test_a_server_that_fails_and_comes_back(
    way: Way, server: Server, model: Model, failures: int, *, after_tools: bool
) -> None:
    session = SQLiteSession("s")
    agent = Agent("A", model=model, tools=[weather])
    if after_tools:
        server.says(reply(THOUGHT, called("weather", 1, '{"city":"Oslo"}')))
    server.says(*[Failing(500)] * failures, reply(said("done")))
    for _ in range(failures):
        with pytest.raises(openai.InternalServerError):
            await way(agent, "go", session=session)
    assert (await way(agent, "go", session=session)).final_output == "done"
    items = await session.get_items()
    assert items.count(user("go")) == 1
    assert kinds(items).count("function_call_output") == after_tools


@pytest.mark.parametrize("dropped", [False, True])
@pytest.mark.parametrize("until", range(1, 8))
async def test_a_stream_that_breaks_off_leaves_a_conversation_that_goes_on(
    server: Server, model: Model, until: int, *, dropped: bool
) -> None:
    session = SQLiteSession("s")
    agent = Agent("A", model=model, tools=[weather])
    asked = called("weather", 1, '{"city":"Oslo"}')
    server.says(reply(said("let me see"), asked, until=until, dropped=dropped))
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the client makes of it
        await streamed(agent, "go", session=session)
    assert await session.get_items() == [user("go")]
    server.script.clear()
    server.says(reply(said("done")))
    assert (await streamed(agent, "go", session=session)).final_output == "done"
    assert kinds(await session.get_items()) == ["user", "assistant"]


async def test_a_run_that_is_cancelled_in_a_tool_is_taken_up(
    way: Way, server: Server, model: Model
) -> None:
    session, started = SQLiteSession("s"), asyncio.Event()

    @function_tool
    async def slow() -> str:
        started.set()
        await asyncio.sleep(60)
        return "never"

    agent = Agent("A", model=model, tools=[slow, weather])
    server.says(reply(THOUGHT, called("slow", 1), called("weather", 2, '{"city":"Oslo"}')))
    run = asyncio.create_task(way(agent, "go", session=session))
    await started.wait()
    while len(await session.get_items()) < 4:  # noqa: ASYNC110 - a session tells nobody
        await asyncio.sleep(0.01)
    run.cancel()
    await asyncio.wait([run])
    server.says(reply(said("done")))
    assert (await way(agent, "something else", session=session)).final_output == "done"
    assert "interrupted" in str(server.requests[-1].body)
    assert "rain in Oslo" in str(server.requests[-1].body)


@pytest.mark.parametrize("limit", range(9))
async def test_any_window_is_accepted(way: Way, server: Server, model: Model, limit: int) -> None:
    session = SQLiteSession("s")
    agent = Agent("A", model=model, tools=[weather])
    for n in (1, 2):
        server.says(reply(THOUGHT, called("weather", n, '{"city":"Oslo"}')), reply(said("done")))
        await way(agent, f"q{n}", session=session)
    server.says(reply(said("more")))
    config = RunConfig(session_settings=SessionSettings(limit=limit))
    result = await way(agent, "and?", session=session, run_config=config)
    assert result.final_output == "more"


async def test_what_the_server_refuses_reaches_the_caller_and_frees_the_session(
    way: Way, server: Server, model: Model
) -> None:
    session = SQLiteSession("s")
    server.says(Failing(400), reply(said("done")))
    with pytest.raises(openai.BadRequestError):
        await way(Agent("A", model=model), "go", session=session)
    assert await session.pop_item() == user("go")
    config = RunConfig(session_policy="reject")
    await way(Agent("A", model=model), "instead", session=session, run_config=config)


async def test_a_refusal_of_the_model_is_an_answer(way: Way, server: Server, model: Model) -> None:
    session = SQLiteSession("s")
    part = {"type": "refusal", "refusal": "I can't."}
    server.says(Reply([{**said(""), "content": [part]}], {"content": None, "refusal": "I can't."}))
    await way(Agent("A", model=model), "go", session=session)
    assert (await session.get_items())[-1]["content"][0]["refusal"] == "I can't."
    server.says(reply(said("done")))
    assert (await way(Agent("A", model=model), "go", session=session)).final_output == "done"


async def test_leaving_a_stream_in_mid_answer(server: Server, model: Model) -> None:
    session, held = SQLiteSession("s"), threading.Event()
    server.says(reply(said("a long answer that is told word by word"), until=6, held=held))
    events = Runner.run_streamed(Agent("A", model=model), "go", session=session).stream_events()
    async for _ in events:
        break
    await events.aclose()
    assert await asyncio.to_thread(server.hung_up.wait, 5)
    held.set()
    server.says(reply(said("done")))
    result = await Runner.run(Agent("A", model=model), "go", session=session)
    assert result.final_output == "done"
    assert kinds(await session.get_items()) == ["user", "assistant"]


async def test_a_history_moves_between_the_apis_in_any_order(
    way: Way, server: Server, client: AsyncOpenAI
) -> None:
    session = SQLiteSession("s")
    models: list[Model] = [
        OpenAIResponsesModel("gpt-5", client),
        OpenAIChatCompletionsModel("gemini-2.5-flash", client),
    ]
    for number in range(6):
        server.says(reply(THOUGHT, called("weather", number, '{"city":"Oslo"}')))
        server.says(reply(said(f"answer {number}")))
        agent = Agent("A", model=models[(number // 2 + number) % 2], tools=[weather])
        result = await way(agent, f"q{number}", session=session)
        assert result.final_output == f"answer {number}"


async def test_a_turn_with_tools_of_ones_own_loop(server: Server, client: AsyncOpenAI) -> None:
    """Ten lines with the bare client, over either API."""
    session = StoredSession("s", SQLiteSession("s").store)
    server.says(reply(called("weather", 1)), reply(said("done")), reply(said("still")))
    async with session.turn("go") as turn:
        while True:
            given: Any = turn.input
            response = await client.responses.create(model="gpt-4.1", input=given)
            await turn.add(response.output)
            calls = [item for item in response.output if item.type == "function_call"]
            if not calls:
                break
            await turn.add([output("rain", 1) for _ in calls])
    async with session.turn("and?") as turn:
        messages: Any = chat_messages(turn.input)
        completion = await client.chat.completions.create(model="gpt-4.1", messages=messages)
        text = completion.choices[0].message.content
        await turn.add([{"role": "assistant", "content": text}])
    expected = ["user", "function_call", "function_call_output", "assistant", "user", "assistant"]
    assert kinds(await session.get_items()) == expected
