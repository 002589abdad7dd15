"""Requests: what the models send to OpenAI's APIs, and what they leave out."""

import openai
import pytest
from openai import AsyncOpenAI

from tests.agents.models.openai.samples import (
    SCHEMA,
    WEATHER,
    asked,
    both,
    completed,
    reasoning,
    tool_call,
    weather_call,
)
from tests.providers.openai_server import Reply, Server, serving
from tests.sample_items import answer, output, user
from turnlog import ModelRequest
from turnlog.agents.models.model import (
    Model,
    OutputSchema,
    ToolDefinition,
)
from turnlog.agents.models.openai.chat import OpenAIChatCompletionsModel
from turnlog.agents.models.openai.responses import OpenAIResponsesModel
from turnlog.agents.models.settings import ModelSettings
from turnlog.items.json import Item
from turnlog.items.repair import INTERRUPTED

pytestmark = pytest.mark.anyio

TRANSFER = ToolDefinition("transfer_to_billing", "Hand over.", {**SCHEMA})


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
