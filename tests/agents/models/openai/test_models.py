"""OpenAI's models through the real client, against a server that refuses what OpenAI's does."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest
from openai import AsyncOpenAI

from tests.agents.models.openai.samples import (
    WEATHER,
    asked,
    both,
    completed,
    events_of,
    reasoning,
    tool_call,
    weather_call,
)
from tests.fake_models import Echo
from tests.providers.openai_events import response_events
from tests.providers.openai_server import Reply, Server
from tests.sample_items import output, user
from turnlog import Agent, ModelRequest, ModelResponse, Runner, SQLiteSession, Usage
from turnlog.agents.model_names import resolve_model
from turnlog.agents.models.model import (
    ItemDone,
    ModelEvent,
    ResponseDone,
    StreamingModel,
    TextDelta,
    stream,
)
from turnlog.agents.models.openai import client as openai_client
from turnlog.agents.models.openai.chat import OpenAIChatCompletionsModel
from turnlog.agents.models.openai.responses import OpenAIResponsesModel
from turnlog.agents.models.settings import ModelSettings
from turnlog.errors import ModelBehaviorError

pytestmark = pytest.mark.anyio

SPENT = Usage(20, 7, 5, 3, 1)


@both
async def test_responses_come_back_as_they_were_sent(
    server: Server, responses: OpenAIResponsesModel, streamed: bool
) -> None:
    sent = [reasoning(), completed("Let me see."), weather_call(1), weather_call(2)]
    server.says(Reply(sent))
    got = await asked(responses, ModelRequest([user("hi")], tools=(WEATHER,)), streamed=streamed)
    assert (got.output, got.usage, got.response_id) == (sent, SPENT, "resp_1")


async def test_a_streamed_response_is_told_piece_by_piece(
    server: Server, responses: OpenAIResponsesModel, chat: OpenAIChatCompletionsModel
) -> None:
    text = "It rains in Oslo."
    server.says(Reply([completed(text)]), Reply(message={"content": text}))
    for model in (responses, chat):
        events = await events_of(model, ModelRequest([user("hi")]))
        deltas = [event.delta for event in events if isinstance(event, TextDelta)]
        assert "".join(deltas) == text
        assert len(deltas) > 2
        assert [type(event) for event in events[-2:]] == [ItemDone, ResponseDone]


@both
async def test_chat_completions_come_back_as_items(
    server: Server, chat: OpenAIChatCompletionsModel, streamed: bool
) -> None:
    said = {"content": "Let me see.", "tool_calls": [tool_call(1), tool_call(2)]}
    server.says(Reply(message=said))
    request = ModelRequest([user("hi")], tools=(WEATHER,))
    got = await asked(chat, request, streamed=streamed)
    assert got.usage == SPENT
    assert [item["type"] for item in got.output] == ["message", "function_call", "function_call"]
    assert [item.get("call_id") for item in got.output] == [None, "call_1", "call_2"]
    assert all("id" not in item for item in got.output)
    server.says(Reply(message={"content": "Rain."}))
    history = [*request.items, *got.output, output("rain", 1), output("rain", 2)]
    assert (await asked(chat, ModelRequest(history), streamed=streamed)).output


async def test_calls_that_share_an_index_stay_apart(chat: OpenAIChatCompletionsModel) -> None:
    from turnlog.agents.models.openai.assembly import Assembly  # noqa: PLC0415 - one test's

    assembly = Assembly()
    for number in (1, 2):
        assembly.add({"tool_calls": [{"index": 0, **tool_call(number)}]})
    assert assembly.message["tool_calls"] == [tool_call(1), tool_call(2)]


async def test_a_completion_without_a_choice_is_none(
    server: Server, chat: OpenAIChatCompletionsModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "tests.providers.openai_server.completion", lambda *_: {"id": "x", "choices": None}
    )
    server.says(Reply())
    with pytest.raises(ModelBehaviorError, match="no choice"):
        await chat.respond(ModelRequest([user("hi")]))


async def test_runs_go_through_either_model(
    server: Server, responses: OpenAIResponsesModel, chat: OpenAIChatCompletionsModel
) -> None:
    session = SQLiteSession("user")
    server.says(Reply([reasoning(), completed("one")]), Reply(message={"content": "two"}))
    for model in (responses, chat):
        await Runner.run(Agent("A", model=model), "hello", session=session)
    assert len(await session.get_items()) == 5


def test_a_name_is_a_model_with_a_client_per_loop(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three loops one after the other, each with its own connections, each closed at its end."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    model = resolve_model("gpt-5")
    assert model is resolve_model("gpt-5")
    assert isinstance(model, OpenAIChatCompletionsModel)

    async def twice() -> AsyncOpenAI:
        for _ in range(2):
            await model.respond(ModelRequest([user("hi")]))
        return await openai_client.default_client()

    clients = set()
    for _ in range(3):
        server.says(*[Reply(message={"content": "x"})] * 2)
        clients.add(asyncio.run(twice()))
        gc.collect()
    assert len(clients) == 3
    assert all(client.is_closed() for client in clients)
    assert not openai_client._kept


async def test_a_model_that_can_only_respond_is_streamed_all_the_same() -> None:
    events = await events_of(Echo(), ModelRequest([user("hi")]))
    assert events[0] == TextDelta("saw 1")
    assert [type(event) for event in events] == [TextDelta, ItemDone, ResponseDone]
    assert not isinstance(Echo(), StreamingModel)


async def test_leaving_closes_what_the_model_holds() -> None:
    closed = []

    class Watchable(Echo):
        async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
            try:
                yield TextDelta("a")
                yield TextDelta("b")
            finally:
                closed.append(True)

    model = Watchable()
    assert isinstance(model, StreamingModel)
    async with aclosing(stream(model, ModelRequest([]))) as events:
        assert await anext(events) == TextDelta("a")
    assert closed


async def test_items_that_are_told_of_only_at_the_end_are_told_of(
    server: Server, responses: OpenAIResponsesModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not every server that speaks the API sends all of its events."""

    def sparse(*args: Any) -> Iterator[str]:
        return (event for event in response_events(*args) if "output_item.done" not in event)

    monkeypatch.setattr("tests.providers.openai_server.response_events", sparse)
    server.says(Reply([completed("a"), weather_call(1)]))
    got = await asked(responses, ModelRequest([user("hi")]), streamed=True)
    assert got.output == [completed("a"), weather_call(1)]


async def test_errors_of_such_a_model_come_out_when_streamed() -> None:
    class Broken:
        async def respond(self, request: ModelRequest) -> ModelResponse:
            raise ConnectionError("hung up")

    with pytest.raises(ConnectionError, match="hung up"):
        await events_of(Broken(), ModelRequest([user("hi")]))


def test_settings_are_laid_over_each_other() -> None:
    own = ModelSettings(temperature=0.5, max_tokens=10, extra_args={"a": 1})
    over = ModelSettings(temperature=0.0, extra_args={"b": 2})
    expected: dict[str, Any] = {"a": 1, "b": 2}
    assert own.resolve(over) == ModelSettings(temperature=0.0, max_tokens=10, extra_args=expected)
    assert own.resolve(None) is own


def test_usage_adds_up() -> None:
    assert SPENT + Usage(1, 1) == Usage(21, 8, 5, 3, 1)
    assert (SPENT + Usage()).total_tokens == 27
