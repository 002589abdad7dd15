"""What a runner asks of a model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from turnlog.items import Item

__all__ = ["Model", "ModelRequest", "ModelResponse", "Usage"]


@dataclass(frozen=True)
class Usage:
    """Tokens that were spent, as the provider counts them."""

    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Both together."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True)
class ModelRequest:
    """All that a model is shown.

    What models learn to take later comes here as a further field, so that a model
    written today goes on working.
    """

    items: list[Item]
    instructions: str | None = None


@dataclass(frozen=True)
class ModelResponse:
    """What came back: output items in the OpenAI Responses format, to be stored as they are."""

    output: list[Item]
    usage: Usage = field(default_factory=Usage)


@runtime_checkable
class Model(Protocol):
    """Anything that answers a conversation."""

    async def respond(self, request: ModelRequest) -> ModelResponse:
        """Answer what is shown. An error raised here reaches the caller of the run."""
        ...
