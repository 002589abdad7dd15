"""Responses: models behind OpenAI's Responses API, or a server that is compatible with it."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from turnlog.agents.models.call_ids import CallIds, with_own_ids
from turnlog.agents.models.environment import address, is_openai
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
    checked_item,
    code_in,
    items_in,
    response_in,
    text_in,
    text_or_none,
)
from turnlog.agents.models.openai.client import (
    AsyncOpenAI,
    BadRequestError,
    asking,
    check_arguments,
    default_client,
)
from turnlog.agents.models.openai.params import Params, complete, reasoning_of, shared, tool_params
from turnlog.conversation.usage.reported import counts_in
from turnlog.convert import responses_input
from turnlog.convert.shapes import Message
from turnlog.errors import ModelBehaviorError
from turnlog.items.json import Item

if TYPE_CHECKING:
    from openai import AsyncStream
    from openai.types.responses import ResponseStreamEvent

__all__ = ["OpenAIResponsesModel"]

_logger = logging.getLogger(__name__)

_ENCRYPTED = "reasoning.encrypted_content"


class OpenAIResponsesModel:
    """A model behind the Responses API.

    model: its name, such as "gpt-4.1".
    openai_client: the `AsyncOpenAI` to use, with its timeouts and retries; its owner closes
        it. Without one, a client is made from OPENAI_API_KEY.

    The provider keeps nothing unless the settings say `store=True`: each request holds the
    whole view, so the history may come from any provider. Errors of the client are raised
    unchanged; a response that fails or breaks off is a `ModelBehaviorError`.
    """

    def __init__(self, model: str, openai_client: AsyncOpenAI | None = None) -> None:
        check_arguments(model, openai_client, "responses")
        self.model = model
        self._client = openai_client
        #: Whether encrypted reasoning is asked for; some models refuse that.
        self._encrypts = True

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"

    @property
    def reads_compaction(self) -> bool:
        """Whether it can read OpenAI's compaction items: only OpenAI's own API can."""
        host = urlsplit(address()).hostname if self._client is None else self._client.base_url.host
        return is_openai(host)

    async def respond(self, request: ModelRequest) -> ModelResponse:
        response = body_of(await self._create(self._params(request)))
        request.report(counts_in(response.get("usage")))
        _refuse_failed(response)
        return with_own_ids(_response(response, list(map(checked_item, items_in(response)))))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        params = {**self._params(request), "stream": True}
        events = cast("AsyncStream[ResponseStreamEvent]", await self._create(params))
        done = _Done()
        async with events:
            async for event in bodies_of(events):
                kind = event.get("type")
                if isinstance(about := event.get("response"), dict):
                    request.report(counts_in(about.get("usage")))
                if kind == "response.output_text.delta":
                    yield TextDelta(text_in(event))
                elif kind == "response.output_item.done":
                    yield done.add(event.get("item"))
                elif kind in {"response.completed", "response.incomplete"}:
                    response = response_in(event)
                    # Some servers send items only here.
                    for item in items_in(response)[len(done.items) :]:
                        yield done.add(item)
                    yield ResponseDone(_response(response, done.items))
                    return
                else:
                    _refuse_failure(event)
        raise ModelBehaviorError("the response broke off before it was complete")

    async def _create(self, params: Params) -> object:
        client = self._client or await default_client()
        while True:
            try:
                # Cast by the caller, which knows whether it is a stream.
                with asking(client):
                    return await client.responses.create(**params)
            except BadRequestError as error:
                if not self._drop_refused(error, params):
                    raise

    def _drop_refused(self, error: BadRequestError, params: Params) -> bool:
        """Remove from `params` what `error` says the model refuses; False if that is not known.

        Only a refusal shows which models can't encrypt their reasoning, and which reasoning
        was encrypted for another model.
        """
        if _ENCRYPTED in params.get("include", ()) and _refuses_encryption(error):
            self._encrypts = False
            params["include"] = [name for name in params["include"] if name != _ENCRYPTED]
            return True
        shown: list[Item] = params["input"]
        kept = [item for item in shown if item.get("type") != "reasoning"]
        if error.code != "invalid_encrypted_content" or len(kept) == len(shown):
            return False
        _logger.warning(
            "%s can't decrypt the reasoning of another model; the request is sent without it",
            self.model,
        )
        params["input"] = kept
        return True

    def _params(self, request: ModelRequest) -> Params:
        settings = request.settings
        include = [_ENCRYPTED] if self._encrypts and not settings.store else []
        params = {
            **shared(settings),
            **tool_params(request, _tool, lambda name: {"type": "function", "name": name}),
            "model": self.model,
            "input": responses_input(request.items),
            "instructions": request.instructions,
            "include": [*include, *(settings.response_include or ())],
            "store": bool(settings.store),
            "text": _text_params(request) or None,
            "max_output_tokens": settings.max_tokens,
            "reasoning": reasoning_of(settings),
            "truncation": settings.truncation,
        }
        return complete(params, settings)


def _refuses_encryption(error: BadRequestError) -> bool:
    return error.param == "include" or "encrypted content is not supported" in str(error).lower()


def _tool(tool: ToolDefinition) -> Params:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": tool.strict,
    }


def _text_params(request: ModelRequest) -> Params:
    params: Params = {}
    if request.output is not None:
        output = request.output
        params["format"] = {
            "type": "json_schema",
            "name": output.name,
            "schema": output.schema,
            "strict": output.strict,
        }
    if request.settings.verbosity is not None:
        params["verbosity"] = request.settings.verbosity
    return params


class _Done:
    """The items so far of a response that is streamed."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self._ids = CallIds()

    def add(self, item: object) -> ItemDone:
        self.items.append(self._ids.with_own_id(checked_item(item)))
        return ItemDone(self.items[-1])


def _response(response: Message, output: list[Item]) -> ModelResponse:
    usage = counts_in(response.get("usage"))
    return ModelResponse(output, usage, text_or_none(response.get("id")))


def _refuse_failure(event: Message) -> None:
    match event.get("type"):
        case "response.failed":
            _refuse_failed({"status": "failed", **response_in(event)})
        case "error":
            raise ModelBehaviorError(f"the response failed: {code_in(event)}")
        case str():
            return  # one of the many that report progress
        case _:
            raise ModelBehaviorError("an event of the stream has no type")


def _refuse_failed(response: Message) -> None:
    status = response.get("status")
    if status in ("failed", "cancelled"):
        error = response.get("error")
        code = code_in(error) if error else status
        raise ModelBehaviorError(f"response {code_in(response.get('id'))} failed: {code}")
