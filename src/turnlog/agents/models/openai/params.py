"""Request parameters that both APIs of OpenAI have under the same names."""

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
    """The settings whose parameters have the same name in both APIs."""
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
    """The tools and how to choose among them; empty without tools, as the APIs demand.

    form: a tool in the form of the API.
    choice: a tool's name in the form for "this one must be called".
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
    """`params` without those that are None, and with the `extra_args` of `settings`."""
    given = {name: value for name, value in params.items() if value is not None}
    return {**given, **(settings.extra_args or {})}


def reasoning_of(settings: ModelSettings) -> Params | None:
    """The reasoning parameter as a dict; it may be given as the client's own type."""
    return plain(settings.reasoning)


def plain(value: object) -> Params | None:
    """A mapping or a model of the client as a dict; None stays None."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        return dict(value)
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dict(dump(mode="json", exclude_none=True))
    raise TypeError(
        f"metadata and reasoning are dicts or models of the client, not {type(value).__name__}"
    )
