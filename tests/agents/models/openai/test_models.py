"""Models through the real `openai` client, against a server that refuses what OpenAI's does."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from tests.fake_models import Echo
from tests.providers.openai_events import response_events
from tests.providers.openai_server import Failing, Reply, Server, serving
from tests.sample_items import answer, call, output, user
from turnlog import Agent, ModelRequest, ModelResponse, Runner, SQLiteSession, Usage
from turnlog.agents.models.model import (
    ItemDone,
    Model,
    ModelEvent,
    OutputSchema,
    ResponseDone,
    StreamingModel,
    TextDelta,
    ToolDefinition,
    stream,
)
from turnlog.agents.models.names import resolve_model
from turnlog.agents.models.openai import client as openai_client
from turnlog.agents.models.openai.chat import OpenAIChatCompletionsModel
from turnlog.agents.models.openai.responses import OpenAIResponsesModel
from turnlog.agents.models.settings import ModelSettings
from turnlog.errors import ModelBehaviorError
from turnlog.items.json import Item
from turnlog.items.repair import INTERRUPTED

pytestmark = pytest.mark.anyio

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = ToolDefinition("weather", "Tell the weather.", SCHEMA)
TRANSFER = ToolDefinition("transfer_to_billing", "Hand over.", {**SCHEMA})
SPENT = Usage(20, 7, 5, 3)


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


@both
async def test_a_conversation_moves_between_the_apis(
    server: Server,
    responses: OpenAIResponsesModel,
    chat: OpenAIChatCompletionsModel,
    streamed: bool,
) -> None:
    """Six turns, each with a tool, the API changing each time: nothing is refused."""
    history: list[Item] = []
    for turn in range(6):
        model: Model = (responses, chat)[turn % 2]
        history.append(user(f"turn {turn}"))
        server.says(
            Reply(
                [reasoning(f"secret {turn}"), weather_call(turn)], {"tool_calls": [tool_call(turn)]}
            ),
            Reply([reasoning(f"secret {turn}b"), completed("Rain.")], {"content": "Rain."}),
        )
        for _ in range(2):
            request = ModelRequest(list(history), "Be brief.", tools=(WEATHER,))
            history += (await asked(model, request, streamed=streamed)).output
            if history[-1]["type"] == "function_call":
                history.append(output("rain", turn))
    assert len(server.requests) == 12
    assert [item["type"] for item in history if item.get("type") == "reasoning"] == [
        "reasoning"
    ] * 6


async def test_the_whole_request_is_what_was_asked_for(
    server: Server, responses: OpenAIResponsesModel, chat: OpenAIChatCompletionsModel
) -> None:
    settings = ModelSettings(
        temperature=0.5,
        max_tokens=50,
        tool_choice="weather",
        parallel_tool_calls=False,
        reasoning={"effort": "low"},
        verbosity="low",
        extra_headers={"x-team": "blue"},
        extra_args={"user": "u"},
    )
    schema = OutputSchema("final_output", SCHEMA)
    request = ModelRequest([user("hi")], "Be brief.", (WEATHER,), (TRANSFER,), schema, settings)
    server.says(Reply([completed("x")]), Reply(message={"content": "x"}))
    await responses.respond(request)
    await chat.respond(request)
    first, second = (sent.body for sent in server.requests)
    assert first["instructions"] == "Be brief."
    assert first["store"] is False
    assert first["text"]["format"]["name"] == "final_output"
    assert first["text"]["verbosity"] == second["verbosity"] == "low"
    assert first["reasoning"] == {"effort": "low"}
    assert second["reasoning_effort"] == "low"
    assert (first["max_output_tokens"], second["max_tokens"]) == (50, 50)
    assert first["tool_choice"] == {"type": "function", "name": "weather"}
    assert second["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert [tool["name"] for tool in first["tools"]] == ["weather", "transfer_to_billing"]
    assert second["messages"][0] == {"role": "system", "content": "Be brief."}
    assert second["response_format"]["json_schema"]["schema"] == SCHEMA
    for sent in server.requests:
        assert sent.headers["x-team"] == "blue"
        assert (sent.body["user"], sent.body["temperature"]) == ("u", 0.5)
        assert sent.body["parallel_tool_calls"] is False


async def test_nothing_is_said_of_tools_when_there_are_none(
    server: Server, responses: OpenAIResponsesModel, chat: OpenAIChatCompletionsModel
) -> None:
    settings = ModelSettings(tool_choice="required", parallel_tool_calls=True)
    server.says(Reply([completed("x")]), Reply(message={"content": "x"}))
    for model in (responses, chat):
        assert (await model.respond(ModelRequest([user("hi")], settings=settings))).output


async def test_what_another_account_stored_or_signed_is_no_obstacle(
    server: Server, responses: OpenAIResponsesModel
) -> None:
    """A history with ids and reasoning that this provider never heard of."""
    history = [
        user("hi"),
        reasoning(None),
        {**weather_call(1), "id": "__fake_id__", "provider_data": {"model": "litellm/x"}},
        output("rain", 1),
        {**completed("one"), "id": "foreign-17"},
        user("again"),
        {"type": "reasoning", "summary": [], "provider_data": {"model": "deepseek"}},
        {**weather_call(2), "call_id": "x" * 90},
        {**output("rain", 2), "call_id": "x" * 90, "id": None, "status": None},
        completed("two"),
        user("now"),
    ]
    server.says(Reply([completed("fine")]))
    assert (await responses.respond(ModelRequest(history))).output == [completed("fine")]
    sent = server.requests[0].body["input"]
    assert not any("id" in item for item in sent)
    assert "x" * 90 in history[7]["call_id"], "the history itself stays as it was"


@both
async def test_reasoning_that_only_another_can_open_is_left_out(
    server: Server, responses: OpenAIResponsesModel, streamed: bool
) -> None:
    history = [user("hi"), reasoning("of another account"), completed("one"), user("now")]
    server.says(Reply([completed("fine")]))
    got = await asked(responses, ModelRequest(history), streamed=streamed)
    assert got.output == [completed("fine")]
    assert [len(sent.body["input"]) for sent in server.requests] == [4, 3]


async def test_a_model_that_does_not_encrypt_is_asked_for_it_once() -> None:
    with serving(encrypts=False) as server:
        server.says(Reply([completed("one")]), Reply([completed("two")]))
        async with AsyncOpenAI(api_key="k", base_url=server.url) as client:
            model = OpenAIResponsesModel("gpt-4.1", client)
            for _ in range(2):
                await model.respond(ModelRequest([user("hi")]))
        asked_for = [bool(sent.body["include"]) for sent in server.requests]
        assert asked_for == [True, False, False]


async def test_a_provider_may_store_if_told(
    server: Server, responses: OpenAIResponsesModel
) -> None:
    server.says(Reply([reasoning(None), completed("one")]))
    settings = ModelSettings(store=True, response_include=("message.output_text.logprobs",))
    got = await responses.respond(ModelRequest([user("hi")], settings=settings))
    server.says(Reply([completed("two")]))
    again = [user("hi"), *got.output, user("again")]
    await responses.respond(ModelRequest(again, settings=settings))
    assert server.requests[0].body["store"] is True
    assert server.requests[0].body["include"] == ["message.output_text.logprobs"]


INVALID: list[tuple[list[Item], str]] = [
    ([user("hi"), {"type": "no_such_thing"}], "Invalid value"),
    ([user("hi"), {"type": "item_reference", "id": "msg_9"}], "not found"),
    ([{**user("hi"), "mood": "good"}], "Unknown parameter"),
]


@pytest.mark.parametrize(("items", "said"), INVALID)
@both
async def test_what_the_api_refuses_comes_out_as_it_is(
    server: Server, responses: OpenAIResponsesModel, items: list[Item], said: str, streamed: bool
) -> None:
    with pytest.raises(openai.APIStatusError, match=said):
        await asked(responses, ModelRequest(items), streamed=streamed)
    assert len(server.requests) == 1


@both
async def test_halves_are_made_whole_or_left_out(
    server: Server,
    responses: OpenAIResponsesModel,
    chat: OpenAIChatCompletionsModel,
    streamed: bool,
) -> None:
    history = [output("rain", 1), user("a"), reasoning(), user("b"), weather_call(2)]
    interrupted = {**output("rain", 2), "output": INTERRUPTED}
    server.says(Reply([completed("x")]), Reply(message={"content": "x"}))
    for model in (responses, chat):
        await asked(model, ModelRequest(history), streamed=streamed)
    sent = {key: value for key, value in weather_call(2).items() if key not in {"id", "status"}}
    assert server.requests[0].body["input"] == [user("a"), user("b"), sent, interrupted]
    called = {"role": "assistant", "content": None, "tool_calls": [tool_call(2)]}
    tool = {"role": "tool", "tool_call_id": "call_2", "content": INTERRUPTED}
    assert server.requests[1].body["messages"] == [user("a"), user("b"), called, tool]


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


async def test_gemini_gets_its_signatures_back_and_nobody_else_does(server: Server) -> None:
    server.rules.extras |= {"extra_content"}
    signed = {**tool_call(1), "extra_content": {"google": {"thought_signature": "sig"}}}
    async with AsyncOpenAI(api_key="k", base_url=server.url) as client:
        gemini = OpenAIChatCompletionsModel("gemini-2.5-flash", client)
        for streamed in (False, True):
            server.says(*[Reply(message={"tool_calls": [signed]})] * 2)
            got = await asked(
                gemini, ModelRequest([user("a")], tools=(WEATHER,)), streamed=streamed
            )
            await gemini.respond(ModelRequest([user("a"), *got.output, output("rain", 1)]))
            sent = server.requests[-1].body["messages"][1]["tool_calls"]
            assert sent == [signed]
        server.rules.extras.clear()
        server.says(Reply(message={"content": "x"}), Reply([completed("x")]))
        history = [user("a"), *got.output, output("rain", 1)]
        await OpenAIChatCompletionsModel("gpt-5", client).respond(ModelRequest(history))
        await OpenAIResponsesModel("gpt-5", client).respond(ModelRequest(history))


@both
async def test_reasoning_goes_back_in_front_of_a_call_to_who_said_it(
    server: Server, streamed: bool
) -> None:
    server.rules.extras |= {"reasoning_content"}
    thinking = {"reasoning_content": "Oslo is wet.", "tool_calls": [tool_call(1)]}
    async with AsyncOpenAI(api_key="k", base_url=server.url) as client:
        deepseek = OpenAIChatCompletionsModel("deepseek-chat", client)
        server.says(Reply(message=thinking), *[Reply(message={"content": "Rain."})] * 3)
        got = await asked(deepseek, ModelRequest([user("a")]), streamed=streamed)
        assert [item["type"] for item in got.output] == ["reasoning", "function_call"]
        history = [user("a"), *got.output, output("rain", 1)]
        await deepseek.respond(ModelRequest(history))
        assert server.requests[-1].body["messages"][1]["reasoning_content"] == "Oslo is wet."
        server.rules.extras.clear()
        await OpenAIChatCompletionsModel("gpt-5", client).respond(ModelRequest(history))
        await deepseek.respond(ModelRequest([*history, answer("Rain."), user("b")]))


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


async def test_without_a_key_the_client_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    for model in (OpenAIResponsesModel("gpt-5"), OpenAIChatCompletionsModel("gpt-5")):
        with pytest.raises(openai.OpenAIError, match="OPENAI_API_KEY"):
            await model.respond(ModelRequest([user("hi")]))
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
    assert SPENT + Usage(1, 1) == Usage(21, 8, 5, 3)
    assert (SPENT + Usage()).total_tokens == 27
