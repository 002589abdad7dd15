"""A fake server, models on it, and samples of what they send and get."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest
from openai import AsyncOpenAI

from tests.providers.openai_server import Server, serving
from tests.sample_items import answer, call
from turnlog import ModelRequest, ModelResponse
from turnlog.agents.models.model import (
    ItemDone,
    Model,
    ModelEvent,
    ResponseDone,
    ToolDefinition,
    stream,
)
from turnlog.agents.models.openai.chat import OpenAIChatCompletionsModel
from turnlog.agents.models.openai.responses import OpenAIResponsesModel
from turnlog.items.json import Item

__all__ = [
    "SCHEMA",
    "WEATHER",
    "asked",
    "both",
    "chat",
    "client",
    "completed",
    "events_of",
    "reasoning",
    "responses",
    "server",
    "tool_call",
    "weather_call",
]

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}

WEATHER = ToolDefinition("weather", "Tell the weather.", SCHEMA)


def completed(text: str) -> Item:
    return answer(text, id="msg_1", status="completed")


def weather_call(number: int) -> Item:
    fields = {"id": f"fc_{number}", "status": "completed"}
    return call("weather", number, '{"city":"Oslo"}', **fields)


def reasoning(sealed: str | None = "sealed") -> Item:
    thought = {"id": "rs_1", "type": "reasoning", "summary": []}
    return thought if sealed is None else {**thought, "encrypted_content": sealed}


def tool_call(number: int) -> Item:
    function = {"name": "weather", "arguments": '{"city":"Oslo"}'}
    return {"id": f"call_{number}", "type": "function", "function": function}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="sk-very-secret", base_url=server.url) as client:
        yield client


@pytest.fixture
def responses(client: AsyncOpenAI) -> OpenAIResponsesModel:
    return OpenAIResponsesModel("gpt-5", client)


@pytest.fixture
def chat(client: AsyncOpenAI) -> OpenAIChatCompletionsModel:
    return OpenAIChatCompletionsModel("gpt-5", client)


async def events_of(model: Model, request: ModelRequest) -> list[ModelEvent]:
    async with aclosing(stream(model, request)) as events:
        return [event async for event in events]


async def asked(model: Model, request: ModelRequest, *, streamed: bool) -> ModelResponse:
    """What `model` answers, either way; streamed, what the events tell has to agree."""
    if not streamed:
        return await model.respond(request)
    events = await events_of(model, request)
    last = events[-1]
    assert isinstance(last, ResponseDone)
    assert [e.item for e in events if isinstance(e, ItemDone)] == last.response.output
    return last.response


both = pytest.mark.parametrize("streamed", [False, True])
