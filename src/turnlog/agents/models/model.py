"""What a runner asks of a model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

from turnlog.agents.models.settings import ModelSettings
from turnlog.items.json import Item
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
    "stream",
]

#: A JSON Schema; as with items, its values are whatever JSON holds.
JSONSchema: TypeAlias = dict[str, Any]


@dataclass(frozen=True)
class Usage:
    """Tokens that were spent, as the provider counts them.

    cached_tokens: how many of the input tokens came from the provider's prompt cache.
    reasoning_tokens: how many of the output tokens were reasoning.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
        )


@dataclass(frozen=True)
class ToolDefinition:
    """A function that the model may call; a handoff is one too.

    parameters: the JSON Schema of its arguments.
    strict: the provider is to hold the model to that schema, which is of the strict kind.
    """

    name: str
    description: str
    parameters: JSONSchema
    strict: bool = True


@dataclass(frozen=True)
class OutputSchema:
    """The JSON that the model is to answer with, instead of prose."""

    name: str
    schema: JSONSchema
    strict: bool = True


@dataclass(frozen=True)
class ModelRequest:
    """All that a model is shown.

    What models learn to take later comes here as a further field, so that a model
    written today goes on working.
    """

    items: list[Item]
    instructions: str | None = None
    tools: tuple[ToolDefinition, ...] = ()
    handoffs: tuple[ToolDefinition, ...] = ()
    output: OutputSchema | None = None
    settings: ModelSettings = field(default_factory=ModelSettings)


@dataclass(frozen=True)
class ModelResponse:
    """What came back: output items in the OpenAI Responses format, to be stored as they are.

    response_id: the provider's name for the response, None if it has none.
    """

    output: list[Item]
    usage: Usage = field(default_factory=Usage)
    response_id: str | None = None


@runtime_checkable
class Model(Protocol):
    """Anything that answers a conversation."""

    async def respond(self, request: ModelRequest) -> ModelResponse:
        """Answer what is shown. An error raised here reaches the caller of the run."""
        ...


@dataclass(frozen=True)
class TextDelta:
    """A further piece of the text of the message that is being written."""

    delta: str

    #: As the Responses API calls it.
    type: ClassVar[str] = "response.output_text.delta"


@dataclass(frozen=True)
class ItemDone:
    """An output item is complete."""

    item: Item


@dataclass(frozen=True)
class ResponseDone:
    """The response is complete; its output is the items that were done, in that order."""

    response: ModelResponse


ModelEvent: TypeAlias = TextDelta | ItemDone | ResponseDone


@runtime_checkable
class StreamingModel(Model, Protocol):
    """A model that can be watched while it answers."""

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """The answer as it comes: deltas and items, and `ResponseDone` as the last event.

        An answer that breaks off raises; it never ends without `ResponseDone`.
        """
        ...


async def stream(model: Model, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
    """What `model` answers, as events; all at once if the model can't be watched.

    Close it (`contextlib.aclosing`) if you leave it early: that hangs up on the provider.
    """
    if not isinstance(model, StreamingModel):
        response = await model.respond(request)
        for event in _told_at_once(response):
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


def _told_at_once(response: ModelResponse) -> list[ModelEvent]:
    events: list[ModelEvent] = []
    for item in response.output:
        if kind_of(item) == "message" and (text := joined_text(item.get("content"))):
            events.append(TextDelta(text))
        events.append(ItemDone(item))
    return [*events, ResponseDone(response)]
