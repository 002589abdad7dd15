"""Parameters that both APIs of OpenAI take, under the names that they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from turnlog.agents.models.model import ModelRequest, ToolDefinition
from turnlog.agents.models.settings import ModelSettings

__all__ = ["Params", "complete", "plain", "reasoning_of", "shared", "tool_params"]

#: Keyword arguments of a request. Any: the client declares them as dozens of unions of
#: typed dicts, some of which forbid what providers other than OpenAI want.
Params: TypeAlias = dict[str, Any]

_MODES = {"auto", "required", "none"}


def shared(settings: ModelSettings) -> Params:
    """What both APIs call by the same names."""
    return {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "metadata": plain(settings.metadata),
        "timeout": settings.timeout,
        "extra_headers": settings.extra_headers,
        "extra_query": settings.extra_query,
        "extra_body": settings.extra_body,
    }


def tool_params(
    request: ModelRequest,
    form: Callable[[ToolDefinition], Params],
    choice: Callable[[str], Params],
) -> Params:
    """The tools and how to choose among them; nothing without tools, as the APIs demand.

    form: how the API writes a tool. choice: how it writes that one must be called.
    """
    tools = [*request.tools, *request.handoffs]
    if not tools:
        return {}
    name = request.settings.tool_choice
    return {
        "tools": [form(tool) for tool in tools],
        "tool_choice": name if name is None or name in _MODES else choice(name),
        "parallel_tool_calls": request.settings.parallel_tool_calls,
    }


def complete(params: Params, settings: ModelSettings) -> Params:
    """`params` without those that nobody set, and with the further ones of `settings`."""
    said = {name: value for name, value in params.items() if value is not None}
    return {**said, **(settings.extra_args or {})}


def reasoning_of(settings: ModelSettings) -> Params | None:
    """How much to reason, also where it was said with the client's own type for it."""
    return plain(settings.reasoning)


def plain(value: object) -> Params | None:
    """A mapping or a model of the client's as a dict; None stays None."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return dict(value)
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dict(dump(mode="json", exclude_none=True))
    raise TypeError(f"a dict is needed, not {type(value).__name__}")
