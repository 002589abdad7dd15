"""Wrong answers of a model's server: a `ModelBehaviorError` that quotes nothing of them."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from openai import AsyncOpenAI

from tests.providers.openai_server import Raw, Server, serving
from tests.sample_items import user
from turnlog import ModelRequest, Usage
from turnlog.agents.models.model import Model, ResponseDone, stream
from turnlog.agents.models.openai.chat import OpenAIChatCompletionsModel
from turnlog.agents.models.openai.responses import OpenAIResponsesModel
from turnlog.errors import ModelBehaviorError

pytestmark = pytest.mark.anyio

SAID = "a secret of Ada's"
HTML = f"<html><body>{SAID}</body></html>".encode()
ERROR = {"error": {"message": SAID, "type": "server_error", "code": "overloaded"}}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


def completion(message: object, **more: object) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion", "choices": [{"message": message}], **more}


def response(output: object, **more: object) -> dict[str, Any]:
    return {"id": "r", "object": "response", "status": "completed", "output": output, **more}


def tool_call(**fields: object) -> dict[str, Any]:
    function = {"name": "look", "arguments": SAID}
    return {"id": "1", "type": "function", "function": function, **fields}


def wrong_call(**fields: object) -> dict[str, Any]:
    return {
        "type": "function_call", "call_id": "1", "name": "look", "arguments": SAID, **fields
    }  # fmt: skip


NOT_EVEN_JSON: dict[str, Raw] = {
    "a page": Raw(HTML, "text/html"),
    "a page that says it is JSON": Raw(HTML),
    "JSON that is nested too deeply to read": Raw(b"[" * 3000 + b"]" * 3000),
    "nothing": Raw(b""),
    "text": Raw(SAID.encode(), "text/plain"),
    "half an object": Raw(b'{"id": "x", "choices": [{"mess'),
    "bytes that are no text": Raw(b'{"id": "\xff\xfe"}'),
}
NO_ANSWER: dict[str, object] = {
    "null": None,
    "a list": [SAID],
    "a text": SAID,
    "a number": 1,
    "an empty object": {},
    "an error": ERROR,
    "an error in words": {"error": SAID},
}
NO_COMPLETION: dict[str, object] = {
    **NO_ANSWER,
    "no choice": completion(None, choices=[]),
    "choices: null": completion(None, choices=None),
    "choices: a text": completion(None, choices=SAID),
    "choices: an object": completion(None, choices={"0": {}}),
    "a choice that is null": completion(None, choices=[None]),
    "a choice that is a text": completion(None, choices=[SAID]),
    "a choice without a message": completion(None, choices=[{"finish_reason": "stop"}]),
    "message: null": completion(None),
    "message: a text": completion(SAID),
    "message: a list": completion([SAID]),
    "content: a number": completion({"content": 1}),
    "content: an object": completion({"content": {"text": SAID}}),
    "tool_calls: a text": completion({"tool_calls": SAID}),
    "a call that is null": completion({"tool_calls": [None]}),
    "a call that is a text": completion({"tool_calls": [SAID]}),
    "a call without a function": completion({"tool_calls": [{"id": "1", "type": "function"}]}),
    "function: null": completion({"tool_calls": [tool_call(function=None)]}),
    "function: a text": completion({"tool_calls": [tool_call(function=SAID)]}),
    "a call without a name": completion({"tool_calls": [tool_call(function={"arguments": "{}"})]}),
    "name: null": completion({"tool_calls": [tool_call(function={"name": None})]}),
    "name: empty": completion({"tool_calls": [tool_call(function={"name": ""})]}),
    "name: a number": completion({"tool_calls": [tool_call(function={"name": 1})]}),
    "arguments: a list": completion(
        {"tool_calls": [tool_call(function={"name": "look", "arguments": [SAID]})]}
    ),
}
NO_RESPONSE: dict[str, object] = {
    **NO_ANSWER,
    "output: null": response(None),
    "output: a text": response(SAID),
    "output: an object": response({"type": "message"}),
    "an item that is null": response([None]),
    "an item that is a text": response([SAID]),
    "an item without a type": response([{"text": SAID}]),
    "type: a number": response([{"type": 1}]),
    "a call without a name": response([{"type": "function_call", "call_id": "1"}]),
    "name: null": response([wrong_call(name=None)]),
    "name: empty": response([wrong_call(name="")]),
    "name: a list": response([wrong_call(name=[SAID])]),
    "arguments: a list": response([wrong_call(arguments=[SAID])]),
    "a message without content": response([{"type": "message", "role": "assistant"}]),
    "content: null": response([{"type": "message", "role": "assistant", "content": None}]),
    "a part that is null": response([{"type": "message", "role": "assistant", "content": [None]}]),
    "failed, and no word why": response([], status="failed", error=None),
    "failed with a text": response([], status="failed", error=SAID),
}


def _delta(delta: object, **more: object) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "choices": [{"delta": delta}], **more}


NO_CHUNKS: dict[str, list[object]] = {
    "null": [None],
    "a list": [[SAID]],
    "a text": [SAID],
    "choices: a text": [{"choices": SAID}],
    "a choice that is null": [{"choices": [None]}],
    "a choice that is a text": [{"choices": [SAID]}],
    "delta: a text": [_delta(SAID)],
    "content: a number": [_delta({"content": 1})],
    "tool_calls: a text": [_delta({"tool_calls": SAID})],
    "a call that is null": [_delta({"tool_calls": [None]})],
    "a call without a function": [_delta({"tool_calls": [{"index": 0, "id": "1"}]})],
    "function: a text": [_delta({"tool_calls": [{"index": 0, "function": SAID}]})],
    "arguments: a list": [
        _delta({"tool_calls": [{"index": 0, "function": {"name": "a", "arguments": [SAID]}}]})
    ],
    "a call without a name": [_delta({"tool_calls": [tool_call(function={"arguments": "{}"})]})],
}
NO_EVENTS: dict[str, list[object]] = {
    "null": [None],
    "a list": [[SAID]],
    "a text": [SAID],
    "an empty object": [{}],
    "a delta that is null": [{"type": "response.output_text.delta", "delta": None}],
    "an item that is null": [{"type": "response.output_item.done", "item": None}],
    "no item": [{"type": "response.output_item.done"}],
    "a call without a name": [{"type": "response.output_item.done", "item": wrong_call(name=None)}],
    "no response": [{"type": "response.completed"}],
    "response: null": [{"type": "response.completed", "response": None}],
    "response: a text": [{"type": "response.completed", "response": SAID}],
    "output: a text": [{"type": "response.completed", "response": response(SAID)}],
    "failed without a response": [{"type": "response.failed"}],
    "failed: a text": [{"type": "response.failed", "response": SAID}],
    "an error": [{"type": "error", "code": "server_error", "message": SAID}],
    "an error of no code": [{"type": "error", "message": SAID}],
}
GARBAGE: dict[str, Raw] = {
    "no JSON": Raw(f"data: {SAID}\n\n".encode(), "text/event-stream"),
    "half an object": Raw(b'data: {"type": "respo\n\n', "text/event-stream"),
    "bytes that are no text": Raw(b"data: \xff\xfe{}\n\n", "text/event-stream"),
    "a page": Raw(HTML, "text/html"),
    "no events": Raw(b"", "text/event-stream"),
    "a whole answer": Raw(json.dumps(completion({"content": SAID})).encode()),
}


def _events(chunks: list[object], finish: object) -> Raw:
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in (*chunks, finish)]
    return Raw("".join([*lines, "data: [DONE]\n\n"]).encode(), "text/event-stream")


def _whole(answers: dict[str, object]) -> dict[str, Raw]:
    return {name: Raw(json.dumps(answer).encode()) for name, answer in answers.items()}


FINISH = {"id": "c", "choices": [{"delta": {}, "finish_reason": "stop"}]}
COMPLETED = {"type": "response.completed", "response": response([])}
CASES: list[tuple[type[Any], bool, dict[str, Raw]]] = [
    (OpenAIChatCompletionsModel, False, {**NOT_EVEN_JSON, **_whole(NO_COMPLETION)}),
    (OpenAIResponsesModel, False, {**NOT_EVEN_JSON, **_whole(NO_RESPONSE)}),
    (
        OpenAIChatCompletionsModel,
        True,
        {**GARBAGE, **{name: _events(chunks, FINISH) for name, chunks in NO_CHUNKS.items()}},
    ),
    (
        OpenAIResponsesModel,
        True,
        {**GARBAGE, **{name: _events(events, COMPLETED) for name, events in NO_EVENTS.items()}},
    ),
]

#: What is wrong and does no harm: an answer is none the worse for the wrong count of its tokens.
HARMLESS: list[tuple[type[Any], bool, Raw]] = [
    (OpenAIChatCompletionsModel, streamed, raw)
    for streamed, raws in (
        (
            False,
            _whole(
                {
                    "id: a list": completion({"tool_calls": [tool_call(id=[SAID])]}),
                    "id: a number": completion({"tool_calls": [tool_call(id=1)]}),
                    "usage: a text": completion({"tool_calls": [tool_call()]}, usage=SAID),
                    "usage of words": completion(
                        {"tool_calls": [tool_call()]}, usage={"prompt_tokens": SAID}
                    ),
                    "annotations: a text": completion(
                        {"tool_calls": [tool_call()], "annotations": SAID}
                    ),
                }
            ),
        ),
        (
            True,
            {
                name: _events([chunk, _delta({"tool_calls": [tool_call(index=0)]})], FINISH)
                for name, chunk in {
                    "an empty object": {},
                    "no delta": {"choices": [{}]},
                    "usage: a text": _delta({}, usage=SAID),
                    "index: a list": _delta(
                        {"tool_calls": [tool_call(index=[SAID], function={"arguments": ""})]}
                    ),
                }.items()
            },
        ),
    )
    for raw in raws.values()
] + [
    (OpenAIResponsesModel, False, Raw(json.dumps(answer).encode()))
    for answer in (
        response([wrong_call(call_id=[SAID])]),
        response([wrong_call(call_id=None)]),
        response([wrong_call(call_id="")]),
        response([wrong_call()], usage=SAID),
        response([wrong_call()], usage={"input_tokens": SAID}),
        response([wrong_call()], id=None),
    )
]


class _Whole:
    """A model that is asked for whole responses."""

    def __init__(self, model: Model) -> None:
        self.respond = model.respond


async def _ask(model: Model, *, streamed: bool) -> None:
    request = ModelRequest([user("hi")])
    if not streamed:
        await model.respond(request)
        return
    async for event in stream(model, request):
        assert not isinstance(event, ResponseDone)


@pytest.mark.parametrize(
    ("kind", "streamed", "raw"),
    [
        pytest.param(kind, streamed, raw, id=f"{kind.__name__}-{streamed}-{name}")
        for kind, streamed, cases in CASES
        for name, raw in cases.items()
    ],
)
async def test_it_says_what_was_wrong_and_quotes_nothing(
    server: Server, kind: type[Any], streamed: bool, raw: Raw
) -> None:
    server.says(raw)
    async with AsyncOpenAI(api_key="k", base_url=server.url, max_retries=0) as client:
        with pytest.raises(ModelBehaviorError) as caught:
            await _ask(kind("gpt-5", client), streamed=streamed)
    assert SAID not in str(caught.value)
    assert len(str(caught.value)) > 20


@pytest.mark.parametrize(("kind", "streamed", "raw"), HARMLESS)
async def test_what_does_no_harm_is_passed_over(
    server: Server, kind: type[Any], streamed: bool, raw: Raw
) -> None:
    server.says(raw)
    async with AsyncOpenAI(api_key="k", base_url=server.url, max_retries=0) as client:
        events = [
            event
            async for event in stream(
                kind("gpt-5", client) if streamed else _Whole(kind("gpt-5", client)),
                ModelRequest([user("hi")]),
            )
        ]
    last = events[-1]
    assert isinstance(last, ResponseDone)
    [item] = last.response.output
    assert (item["name"], item["arguments"]) == ("look", SAID)
    assert re.fullmatch(r"1|call_[0-9a-f]{24}", item["call_id"])
    assert last.response.usage == Usage()


async def test_an_object_in_place_of_arguments_becomes_their_text(server: Server) -> None:
    given = {"city": "Oslo"}
    server.says(
        Raw(json.dumps(response([wrong_call(arguments=given)])).encode()),
        Raw(
            json.dumps(
                completion({"tool_calls": [tool_call(function={"name": "a", "arguments": given})]})
            ).encode()
        ),
    )
    async with AsyncOpenAI(api_key="k", base_url=server.url, max_retries=0) as client:
        for kind in (OpenAIResponsesModel, OpenAIChatCompletionsModel):
            answer = await kind("gpt-5", client).respond(ModelRequest([user("hi")]))
            assert json.loads(answer.output[0]["arguments"]) == given
