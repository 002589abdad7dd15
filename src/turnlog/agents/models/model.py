"""The model protocol: requests, responses, and the events of a response that is streamed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

from turnlog.agents.models.settings import ModelSettings
from turnlog.conversation.usage.usage import Usage
from turnlog.items.given import given
from turnlog.items.json import Item, TResponseInputItem
from turnlog.items.kinds import kind_of
from turnlog.items.text import joined_text

__all__ = [
    "ItemDone",
    "JSONSchema",
    "Model",
    "ModelEvent",
    "ModelRequest",
    "ModelResponse",
    "OutputSchema",
    "ResponseDone",
    "StreamingModel",
    "TextDelta",
    "ToolDefinition",
    "Usage",
    "responded",
    "stream",
]

#: A JSON Schema. Any: as in items, its values are any JSON.
JSONSchema: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class ToolDefinition:
    """A function that the model may call; a handoff is one too.

    parameters: the JSON Schema of its arguments.
    strict: the provider makes the model keep to the schema, which is of the strict kind.
    """

    name: str
    description: str
    parameters: JSONSchema
    strict: bool = True


@dataclass(frozen=True)
class OutputSchema:
    """The schema of the JSON that the model must answer with, instead of text."""

    name: str
    schema: JSONSchema
    strict: bool = True


#: What a model may return.
_EXAMPLE = 'ModelResponse([{"type": "message", "role": "assistant", "content": "…"}])'


def _unheard(_usage: Usage) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True)
class ModelRequest:
    """All that a model is shown.

    New abilities of models become new fields here, so that a model written today goes on
    working.
    """

    items: list[TResponseInputItem]
    instructions: str | None = None
    tools: tuple[ToolDefinition, ...] = ()
    handoffs: tuple[ToolDefinition, ...] = ()
    output: OutputSchema | None = None
    settings: ModelSettings = field(default_factory=ModelSettings)
    #: To be called with the usage as soon as the provider has reported it, so that it is counted
    #: if the response then turns out to be unusable, or is not waited for. Each call replaces
    #: what was reported before; the usage of a `ModelResponse` replaces it as well.
    report: Callable[[Usage], None] = field(default=_unheard, repr=False, compare=False)


@dataclass(frozen=True)
class ModelResponse:
    """The response of a model: output items in the OpenAI Responses format, stored unchanged.

    response_id: the provider's id of the response, None if it has none.
    """

    output: list[Item]
    usage: Usage = field(default_factory=Usage)
    response_id: str | None = None


@runtime_checkable
class Model(Protocol):
    """Anything that answers a conversation."""

    async def respond(self, request: ModelRequest) -> ModelResponse:
        """Answer `request`. An error that is raised here reaches the caller of the run."""
        ...


@dataclass(frozen=True)
class TextDelta:
    """The next piece of text of the message that is being written."""

    delta: str

    #: The name of such an event in the Responses API.
    type: ClassVar[Literal["response.output_text.delta"]] = "response.output_text.delta"


@dataclass(frozen=True)
class ItemDone:
    """An output item is complete."""

    item: Item


@dataclass(frozen=True)
class ResponseDone:
    """The response is complete; its output is the items of the `ItemDone` events, in order."""

    response: ModelResponse


ModelEvent: TypeAlias = TextDelta | ItemDone | ResponseDone


@runtime_checkable
class StreamingModel(Model, Protocol):
    """A model that can stream its answer."""

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """The answer as events: deltas and items, and `ResponseDone` as the last one.

        An answer that breaks off raises; it never ends without `ResponseDone`.
        """
        ...


async def responded(model: Model, request: ModelRequest) -> ModelResponse:
    """The whole answer of `model`. Raises `TypeError` if it is no `ModelResponse` of items."""
    name = f"{type(model).__name__}.respond"
    answer: object = model.respond(request)
    if not isawaitable(answer):
        raise TypeError(f"{name} must be async: write `async def respond(self, request)`")
    response: object = await answer
    if not isinstance(response, ModelResponse):
        raise TypeError(
            f"{name} must return a ModelResponse, not {given(response)}: write {_EXAMPLE}"
        )
    output: object = response.output
    if not isinstance(output, list | tuple) or not all(isinstance(item, dict) for item in output):
        raise TypeError(f"{name} must return a ModelResponse of a list of items: write {_EXAMPLE}")
    return response


async def stream(model: Model, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
    """The answer of `model` as events; all at once if the model can't stream.

    Close it (`contextlib.aclosing`) if you leave it early: that ends the provider's answer.
    """
    if not isinstance(model, StreamingModel):
        for event in _events_of(await responded(model, request)):
            yield event
        return
    events = model.stream(request)
    try:
        async for event in events:
            yield event
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()


def _events_of(response: ModelResponse) -> list[ModelEvent]:
    events: list[ModelEvent] = []
    for item in response.output:
        if kind_of(item) == "message" and (text := joined_text(item.get("content"))):
            events.append(TextDelta(text))
        events.append(ItemDone(item))
    return [*events, ResponseDone(response)]
