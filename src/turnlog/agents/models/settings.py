"""Model settings: parameters of a request, such as temperature or tool choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Literal, TypeAlias

from turnlog.items.given import check_int_or_none, check_number_or_none

__all__ = ["ModelSettings", "ToolChoice"]

_NUMBERS = ("temperature", "top_p", "frequency_penalty", "presence_penalty")

#: "auto", "required", "none", or the name of a tool that must be called.
ToolChoice: TypeAlias = str


@dataclass(frozen=True)
class ModelSettings:
    """Parameters of requests to a model. None leaves a parameter to the provider's default.

    max_tokens: the most tokens of the answer, reasoning included.
    tool_choice: "auto", "required", "none", or the name of a tool that must be called.
    reasoning: as the Responses API takes it, such as ``{"effort": "low"}``; Chat
        Completions gets its effort.
    store: whether the provider keeps the response. None is False for `OpenAIResponsesModel`:
        the conversation is kept in the session.
    include_usage: False doesn't ask for the usage of streamed chat completions, for
        providers that refuse this.
    response_include: further parts that the Responses API sends, by name.
    timeout: seconds for this request, instead of the client's.
    extra_args: further parameters of the request, by name; they win over all others.
    """

    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    truncation: Literal["auto", "disabled"] | None = None
    max_tokens: int | None = None
    reasoning: object | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    metadata: Mapping[str, str] | None = None
    store: bool | None = None
    include_usage: bool | None = None
    response_include: tuple[str, ...] | None = None
    timeout: float | None = None
    extra_query: Mapping[str, object] | None = None
    extra_body: Mapping[str, object] | None = None
    extra_headers: Mapping[str, str] | None = None
    extra_args: Mapping[str, object] | None = None

    def __post_init__(self) -> None:
        for name in _NUMBERS:
            check_number_or_none(name, getattr(self, name))
        check_int_or_none("max_tokens", self.max_tokens)

    def __repr__(self) -> str:
        # The extras may hold keys and passwords, so their values are not shown.
        shown = (
            f"{field.name}=…" if field.name.startswith("extra_") else f"{field.name}={value!r}"
            for field in fields(self)
            if (value := getattr(self, field.name)) is not None
        )
        return f"ModelSettings({', '.join(shown)})"

    def resolve(self, override: ModelSettings | None) -> ModelSettings:
        """These settings, overridden by those of `override` that are not None.

        The `extra_args` of both are merged.
        """
        if override is None:
            return self
        given = {
            field.name: value
            for field in fields(override)
            if (value := getattr(override, field.name)) is not None
        }
        if self.extra_args and override.extra_args:
            given["extra_args"] = {**self.extra_args, **override.extra_args}
        return replace(self, **given)
