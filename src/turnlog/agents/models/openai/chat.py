"""Chat Completions: models behind OpenAI's older API, which most providers offer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, cast

from turnlog.agents.models.call_ids import with_own_ids
from turnlog.agents.models.environment import is_openai
from turnlog.agents.models.model import (
    ItemDone,
    ModelEvent,
    ModelRequest,
    ModelResponse,
    ResponseDone,
    TextDelta,
    ToolDefinition,
)
from turnlog.agents.models.openai.answers import (
    bodies_of,
    body_of,
    checked_delta,
    checked_message,
    choices_in,
    message_in,
    text_or_none,
)
from turnlog.agents.models.openai.assembly import Assembly
from turnlog.agents.models.openai.client import (
    AsyncOpenAI,
    asking,
    check_arguments,
    default_client,
)
from turnlog.agents.models.openai.params import Params, complete, reasoning_of, shared, tool_params
from turnlog.conversation.usage.reported import counts_in
from turnlog.convert import chat_messages, items_from_chat
from turnlog.convert.shapes import Message
from turnlog.errors import ModelBehaviorError

if TYPE_CHECKING:
    from openai import AsyncStream
    from openai.types.chat import ChatCompletionChunk

__all__ = ["OpenAIChatCompletionsModel"]


class OpenAIChatCompletionsModel:
    """A model behind Chat Completions, which most providers offer.

    model: its name, such as "gemini-2.5-flash".
    openai_client: the `AsyncOpenAI` to use, with any base URL and its timeouts and retries;
        its owner closes it. Without one, a client is made from OPENAI_API_KEY.

    Errors of the client are raised unchanged; an answer that breaks off is a
    `ModelBehaviorError`.
    """

    def __init__(self, model: str, openai_client: AsyncOpenAI | None = None) -> None:
        check_arguments(model, openai_client, "chat")
        self.model = model
        self._client = openai_client

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"

    async def respond(self, request: ModelRequest) -> ModelResponse:
        client = self._client or await default_client()
        with asking(client):
            answer = await client.chat.completions.create(**self._params(client, request))
        completion = body_of(answer)
        request.report(counts_in(completion.get("usage")))
        return self._response(message_in(completion), completion)

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        client = self._client or await default_client()
        params = {**_stream_params(request), **self._params(client, request)}
        # `stream` is among parameters that are Any, so the client's types can't tell the answer.
        with asking(client):
            answer = await client.chat.completions.create(**params)
        chunks = cast("AsyncStream[ChatCompletionChunk]", answer)
        streamed = _Streamed()
        async with chunks:
            async for chunk in bodies_of(chunks):
                text = streamed.take(chunk)
                request.report(counts_in(streamed.about["usage"]))
                if text:
                    yield TextDelta(text)
        if not streamed.finished:
            raise ModelBehaviorError("the completion broke off before it was complete")
        response = self._response(checked_message(streamed.assembly.message), streamed.about)
        for item in response.output:
            yield ItemDone(item)
        yield ResponseDone(response)

    def _response(self, message: Message, about: Message) -> ModelResponse:
        output = items_from_chat([{**message, "role": "assistant"}], model=self.model)
        usage = counts_in(about.get("usage"))
        return with_own_ids(ModelResponse(output, usage, text_or_none(about.get("id"))))

    def _params(self, client: AsyncOpenAI, request: ModelRequest) -> Params:
        settings = request.settings
        # OpenAI's newer models take the bound only under its new name, others only under the old.
        bound = "max_completion_tokens" if is_openai(client.base_url.host) else "max_tokens"
        params = {
            **shared(settings),
            **tool_params(request, _tool, _choice),
            "model": self.model,
            "messages": chat_messages(
                request.items, instructions=request.instructions, model=self.model
            ),
            "frequency_penalty": settings.frequency_penalty,
            "presence_penalty": settings.presence_penalty,
            bound: settings.max_tokens,
            "reasoning_effort": (reasoning_of(settings) or {}).get("effort"),
            "response_format": _response_format(request),
            "store": settings.store,
            "verbosity": settings.verbosity,
        }
        return complete(params, settings)


class _Streamed:
    """A completion while it is streamed."""

    def __init__(self) -> None:
        self.assembly = Assembly()
        self.finished = False
        #: The id of the completion and its usage.
        self.about: Message = {}

    def take(self, chunk: Message) -> str:
        """Take in `chunk`; return the text that it adds."""
        self.about.setdefault("id", chunk.get("id"))
        self.about["usage"] = chunk.get("usage") or self.about.get("usage")
        text = ""
        for choice in choices_in(chunk):
            text += self.assembly.add(checked_delta(choice))
            self.finished = self.finished or choice.get("finish_reason") is not None
        return text


def _stream_params(request: ModelRequest) -> Params:
    options = {"include_usage": True}
    wanted = request.settings.include_usage is not False
    return {"stream": True, **({"stream_options": options} if wanted else {})}


def _tool(tool: ToolDefinition) -> Params:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        # Left out where it is False: not every server knows the parameter.
        **({"strict": True} if tool.strict else {}),
    }
    return {"type": "function", "function": function}


def _choice(name: str) -> Params:
    return {"type": "function", "function": {"name": name}}


def _response_format(request: ModelRequest) -> Params | None:
    output = request.output
    if output is None:
        return None
    schema = {"name": output.name, "schema": output.schema, "strict": output.strict}
    return {"type": "json_schema", "json_schema": schema}
