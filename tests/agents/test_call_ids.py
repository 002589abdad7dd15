"""Call ids: calls of one response that share an id or have none find their own outputs."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from openai import AsyncOpenAI

from tests.providers.openai_server import Reply, Server, serving
from tests.providers.view_rules import accepted_everywhere
from tests.sample_items import answer, user
from turnlog import (
    Agent,
    ModelBehaviorError,
    ModelRequest,
    ModelResponse,
    Runner,
    SQLiteSession,
    function_tool,
)
from turnlog.agents.models.openai.chat import OpenAIChatCompletionsModel
from turnlog.agents.models.openai.responses import OpenAIResponsesModel
from turnlog.items.json import Item

pytestmark = pytest.mark.anyio

IDS: list[list[object]] = [["0", "0"], ["0", "0", "0"], ["", ""], [None, None], ["a", "", "a"]]
MISSING = object()


@function_tool
def weather(city: str) -> str:
    """Tell the weather."""
    return f"rain in {city}"


def call_for(call_id: object, city: str, kind: str = "function_call") -> Item:
    named = {} if call_id is MISSING else {"call_id": call_id}
    said = {"name": "weather", "arguments": f'{{"city":"{city}"}}'}
    return {"type": kind, **named, **said}


class Scripted:
    """A model that gives its responses one after the other, and keeps what it was shown."""

    def __init__(self, *responses: list[Item]) -> None:
        self.left = list(responses)
        self.shown: list[list[Item]] = []

    async def respond(self, request: ModelRequest) -> ModelResponse:
        self.shown.append(request.items)
        return ModelResponse(self.left.pop(0))


def told(items: list[Item]) -> dict[str, str]:
    """What each call asked for, and what the output of its id says."""
    calls = {i["call_id"]: i["arguments"] for i in items if i.get("type") == "function_call"}
    outputs = {i["call_id"]: i["output"] for i in items if i.get("type") == "function_call_output"}
    assert calls.keys() == outputs.keys()
    return {calls[call_id]: outputs[call_id] for call_id in calls}


@pytest.mark.parametrize("ids", [*IDS, [MISSING, MISSING], [7, 7]])
async def test_each_call_is_stored_with_an_id_of_its_own(ids: list[object]) -> None:
    cities = ["Oslo", "Rome", "Bern"][: len(ids)]
    made = [call_for(call_id, city) for call_id, city in zip(ids, cities, strict=True)]
    model, session = Scripted(made, [answer("Rain.")]), SQLiteSession("s")
    await Runner.run(Agent("A", model=model, tools=[weather]), "hi", session=session)
    expected = {f'{{"city":"{city}"}}': f"rain in {city}" for city in cities}
    for items in (await session.get_items(), await session.view(), model.shown[1]):
        assert told(items) == expected
    stored = [item["call_id"] for item in await session.get_items() if "arguments" in item]
    assert len(set(stored)) == len(ids)
    assert all(re.fullmatch(r"[0a]|call_[0-9a-f]{24}", call_id) for call_id in stored)
    assert made[0] == call_for(ids[0], "Oslo"), "what the model gave is not changed"


async def test_a_call_without_a_name_is_no_call_and_nothing_of_it_is_stored() -> None:
    for name in ("", None, 7):
        wrong = {**call_for("1", "Oslo"), "name": name}
        model, session = Scripted([call_for("0", "Rome"), wrong]), SQLiteSession("s")
        with pytest.raises(ModelBehaviorError, match="without the name of a tool"):
            await Runner.run(Agent("A", model=model, tools=[weather]), "hi", session=session)
        assert await session.get_items() == [user("hi")]


async def test_ids_that_are_counted_anew_in_each_turn_go_out_once() -> None:
    model, session = Scripted(), SQLiteSession("s")
    agent = Agent("A", model=model, tools=[weather])
    for city in ("Oslo", "Rome", "Bern"):
        model.left = [[call_for("0", city)], [answer("Rain.")]]
        await Runner.run(agent, "hi", session=session)
    stored = [item["call_id"] for item in await session.get_items() if "call_id" in item]
    assert stored == ["0"] * 6, "the log stays exact"
    assert list(told(model.shown[-1]).values()) == ["rain in Oslo", "rain in Rome", "rain in Bern"]
    assert model.shown[-1][:4] == model.shown[-3][:4], "the beginning stays, for prompt caches"
    accepted_everywhere(await session.view())


async def test_what_broke_in_this_run_is_mended_before_the_model_is_asked_again() -> None:
    broken = {**call_for("0", "Oslo"), "arguments": '{"city": "Os'}
    model, session = Scripted([broken], [answer("Sorry.")]), SQLiteSession("s")
    await Runner.run(Agent("A", model=model, tools=[weather]), "hi", session=session)
    assert (await session.get_items())[1] == broken
    assert model.shown[1][1]["arguments"] == '{"arguments": "{\\"city\\": \\"Os"}'


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.mark.parametrize("kind", [OpenAIResponsesModel, OpenAIChatCompletionsModel])
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("ids", [["0", "0"], ["", ""]])
async def test_the_strictest_server_takes_what_a_loose_one_gave(
    server: Server, kind: type[Any], streamed: bool, ids: list[str]
) -> None:
    """Equal ids in a response and again in the next turn, arguments that were cut off."""
    arguments = ['{"city":"Oslo"}', '{"city":"Ro']
    functions = [{"name": "weather", "arguments": given} for given in arguments]
    chat = [
        {"id": call_id, "type": "function", "function": function}
        for call_id, function in zip(ids, functions, strict=True)
    ]
    items: list[Item] = [
        {"id": f"fc_{n}", "type": "function_call", "status": "completed", "call_id": i, **f}
        for n, (i, f) in enumerate(zip(ids, functions, strict=True))
    ]
    said = {**answer("Rain."), "id": "msg_1", "status": "completed"}
    session = SQLiteSession("s")
    async with AsyncOpenAI(api_key="k", base_url=server.url, max_retries=0) as client:
        agent = Agent("A", model=kind("gpt-5", client), tools=[weather])
        for _ in range(2):
            server.says(Reply(items, {"tool_calls": chat}), Reply([said], {"content": "Rain."}))
            if streamed:
                result = Runner.run_streamed(agent, "hi", session=session)
                async for _ in result.stream_events():
                    pass
            else:
                await Runner.run(agent, "hi", session=session)
        server.says(Reply([{**said, "content": []}], {"content": ""}))
        await Runner.run(agent, "Say nothing.", session=session)
        server.says(Reply([said], {"content": "Rain."}))
        assert (await Runner.run(agent, "And?", session=session)).final_output == "Rain."
    stored = [i["arguments"] for i in await session.get_items() if "arguments" in i]
    assert stored == arguments * 2
