"""The offline model with tools, and watched while it answers."""

import json

import pytest

from tests.sample_items import user
from turnlog import ModelRequest, OfflineModel
from turnlog.agents.context import RunContextWrapper
from turnlog.agents.models.model import ItemDone, ResponseDone, StreamingModel, TextDelta, stream
from turnlog.agents.tools.tool import function_tool
from turnlog.items.json import Item

pytestmark = pytest.mark.anyio


@function_tool
def get_weather(city: str) -> str:
    """Tell the weather."""
    return f"Rain in {city}."


@function_tool
def add(a: int, b: float) -> float:
    """Add two numbers."""
    return a + b


@function_tool
def the_time() -> str:
    """Tell the time."""
    return "noon"


@function_tool
def choose(things: list[str]) -> str:
    """Choose one."""
    return things[0]


TOOLS = tuple(tool.definition for tool in (get_weather, add, the_time, choose))


async def answered(items: list[Item]) -> Item:
    [item] = (await OfflineModel().respond(ModelRequest(items, tools=TOOLS))).output
    return item


@pytest.mark.parametrize(
    ("said", "name", "arguments"),
    [
        ("Use get_weather for Oslo, please!", "get_weather", {"city": "Oslo, please"}),
        ("get weather in New York?", "get_weather", {"city": "New York"}),
        ("add 2 and 3.5", "add", {"a": 2, "b": 3.5}),
        ("What does the_time say?", "the_time", {}),
    ],
)
async def test_a_tool_that_is_named_is_called(said: str, name: str, arguments: Item) -> None:
    item = await answered([user(said)])
    assert (item["type"], item["name"]) == ("function_call", name)
    assert json.loads(item["arguments"]) == arguments
    assert item == await answered([user(said)])


@pytest.mark.parametrize("said", ["get_weather", "add 2", "choose a or b", "What a weather!"])
async def test_a_tool_is_not_called_without_what_it_needs(said: str) -> None:
    assert (await answered([user(said)]))["type"] == "message"


async def test_what_a_tool_says_is_passed_on_once() -> None:
    items = [user("get_weather Oslo")]
    call = await answered(items)
    output = await get_weather.invoke(RunContextWrapper(None), call["arguments"])
    items += [call, {"type": "function_call_output", "call_id": call["call_id"], "output": output}]
    message = await answered(items)
    assert message["content"][0]["text"] == "get_weather says: Rain in Oslo."
    later = await answered([*items, message, user("My name is Al")])
    assert later["content"][0]["text"] == "I'll remember: your name is Al."


async def test_parts_of_a_tools_output_are_named() -> None:
    parts = [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "x"}]
    call = await answered([user("the time")])
    output = {"type": "function_call_output", "call_id": call["call_id"], "output": parts}
    message = await answered([user("the time"), call, output])
    assert message["content"][0]["text"] == "the_time says: a [input_image]"


@pytest.mark.parametrize("said", ["My name is Al", "the time", "What did I say?"])
async def test_it_answers_word_by_word(said: str) -> None:
    model = OfflineModel()
    assert isinstance(model, StreamingModel)
    request = ModelRequest([user("a  b\n c "), user(said)], tools=TOOLS)
    whole = await model.respond(request)
    events = [event async for event in stream(model, request)]
    assert events[-2:] == [ItemDone(whole.output[0]), ResponseDone(whole)]
    deltas = [event.delta for event in events if isinstance(event, TextDelta)]
    texts = [part["text"] for part in whole.output[0].get("content", ())]
    assert "".join(deltas) == "".join(texts)
    assert len(deltas) == sum(len(text.split()) for text in texts)
