"""Errors of the client and of streams, and settings of the client."""

import asyncio
import threading
from contextlib import aclosing

import openai
import pytest
from openai import AsyncOpenAI

from tests.agents.models.openai.samples import asked, both, completed, weather_call
from tests.providers.openai_server import Failing, Reply, Server
from tests.sample_items import user
from turnlog import Agent, ModelRequest
from turnlog.agents.models.model import (
    Model,
    ModelEvent,
    ResponseDone,
    TextDelta,
    stream,
)
from turnlog.agents.models.openai import client as openai_client
from turnlog.agents.models.openai.chat import OpenAIChatCompletionsModel
from turnlog.agents.models.openai.responses import OpenAIResponsesModel
from turnlog.agents.models.settings import ModelSettings
from turnlog.errors import ModelBehaviorError

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("failing", [Failing(429, {"retry_after": "0"}), Failing(500)])
@both
async def test_the_client_tries_again(
    server: Server,
    responses: OpenAIResponsesModel,
    chat: OpenAIChatCompletionsModel,
    failing: Failing,
    streamed: bool,
) -> None:
    models: list[tuple[Model, Reply]] = [
        (responses, Reply([completed("x")])),
        (chat, Reply(message={"content": "x"})),
    ]
    for model, reply in models:
        server.says(failing, reply)
        assert (await asked(model, ModelRequest([user("hi")]), streamed=streamed)).output
    assert len(server.requests) == 4


@both
async def test_errors_of_the_client_come_out_as_they_are(server: Server, streamed: bool) -> None:
    request = ModelRequest([user("hi")])
    async with AsyncOpenAI(api_key="k", base_url=server.url, max_retries=0) as client:
        for kind in (OpenAIResponsesModel, OpenAIChatCompletionsModel):
            server.says(Failing(429), Failing(500))
            model: Model = kind("gpt-5", client)
            with pytest.raises(openai.RateLimitError):
                await asked(model, request, streamed=streamed)
            with pytest.raises(openai.InternalServerError):
                await asked(model, request, streamed=streamed)


async def test_a_timeout_is_the_clients(server: Server, chat: OpenAIChatCompletionsModel) -> None:
    held = threading.Event()
    server.says(*[Reply(message={"content": "x"}, held=held)] * 3)
    request = ModelRequest([user("hi")], settings=ModelSettings(timeout=0.01))
    with pytest.raises(openai.APITimeoutError):
        await chat.respond(request)
    held.set()


async def _watch(model: Model, told: list[ModelEvent]) -> None:
    async for event in stream(model, ModelRequest([user("hi")])):
        told.append(event)  # noqa: PERF401 - what came before an error counts


@pytest.mark.parametrize("dropped", [False, True])
async def test_a_stream_that_breaks_off_says_so(
    server: Server,
    responses: OpenAIResponsesModel,
    chat: OpenAIChatCompletionsModel,
    dropped: bool,
) -> None:
    models: list[tuple[Model, Reply]] = [
        (responses, Reply([completed("a"), weather_call(1)], until=9, dropped=dropped)),
        (chat, Reply(message={"content": "It rains."}, until=2, dropped=dropped)),
    ]
    expected = openai.APIConnectionError if dropped else ModelBehaviorError
    for model, reply in models:
        server.says(reply)
        told: list[ModelEvent] = []
        with pytest.raises(expected):
            await _watch(model, told)
        assert told
        assert not any(isinstance(event, ResponseDone) for event in told)


@both
async def test_a_response_that_failed_says_so(
    server: Server, responses: OpenAIResponsesModel, streamed: bool
) -> None:
    server.says(Reply([], status="failed"))
    with pytest.raises(ModelBehaviorError, match="resp_1 failed: server_error"):
        await asked(responses, ModelRequest([user("hi")]), streamed=streamed)


@both
async def test_an_answer_cut_short_by_its_bound_is_an_answer(
    server: Server,
    responses: OpenAIResponsesModel,
    chat: OpenAIChatCompletionsModel,
    streamed: bool,
) -> None:
    cut = Reply(
        [{**completed("It ra"), "status": "incomplete"}], {"content": "It ra"}, "incomplete"
    )
    server.says(cut, cut)
    for model in (responses, chat):
        got = await asked(model, ModelRequest([user("hi")]), streamed=streamed)
        assert got.output[0]["content"][0]["text"] == "It ra"


async def test_leaving_a_stream_hangs_up(
    server: Server, responses: OpenAIResponsesModel, chat: OpenAIChatCompletionsModel
) -> None:
    never = threading.Event()
    for model in (responses, chat):
        server.hung_up.clear()
        server.says(Reply([completed("It rains.")], {"content": "It rains."}, until=6, held=never))
        events = stream(model, ModelRequest([user("hi")]))
        async with aclosing(events):
            async for event in events:
                if isinstance(event, TextDelta):
                    break
        assert await asyncio.to_thread(server.hung_up.wait, 10)


async def test_keys_are_never_shown(
    responses: OpenAIResponsesModel, chat: OpenAIChatCompletionsModel
) -> None:
    settings = ModelSettings(
        temperature=0.1, extra_headers={"authorization": "sk-very-secret"}, extra_args={"a": "sk-x"}
    )
    shown = repr([responses, chat, Agent("A", model=responses), settings])
    assert "sk-" not in shown
    assert "OpenAIResponsesModel('gpt-5')" in shown
    assert "temperature=0.1, extra_headers=…, extra_args=…" in shown


async def test_without_a_key_the_client_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for model in (OpenAIResponsesModel("gpt-5"), OpenAIChatCompletionsModel("gpt-5")):
        with pytest.raises(openai.OpenAIError, match="OPENAI_API_KEY"):
            await model.respond(ModelRequest([user("hi")]))
    assert not openai_client._kept
