"""Function tools: functions that a model may call."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, overload

from turnlog.agents.context import RunContextWrapper
from turnlog.agents.models.model import JSONSchema, ToolDefinition
from turnlog.agents.tools import pydantic
from turnlog.agents.tools.exits import exits_as_errors
from turnlog.agents.tools.output import ToolOutput, to_output
from turnlog.agents.tools.schema import Signature, name_of
from turnlog.agents.tools.threads import in_thread
from turnlog.items.given import given, is_of_sdk
from turnlog.loops.finishing import is_cancelled

__all__ = [
    "Enabled",
    "FunctionTool",
    "ToolErrorFunction",
    "default_tool_error_function",
    "function_tool",
]

#: Called with the context and the error; returns the output that the model is shown.
ToolErrorFunction: TypeAlias = Callable[[RunContextWrapper[Any], Exception], str | Awaitable[str]]

#: Whether a tool or handoff is offered; a function is called with the context and the agent.
Enabled: TypeAlias = bool | Callable[[RunContextWrapper[Any], Any], bool | Awaitable[bool]]

Function: TypeAlias = Callable[..., object]


@dataclass
class FunctionTool:
    """A function that a model may call.

    params_json_schema: the JSON Schema of its arguments.
    on_invoke_tool: called with the context and the arguments, a JSON text; its result is
        shown to the model as text, parts, or JSON.
    strict_json_schema: the provider makes the model keep to the schema.
    is_enabled: whether it is offered; a function is called before each request.
    """

    name: str
    description: str
    params_json_schema: JSONSchema
    on_invoke_tool: Callable[[RunContextWrapper[Any], str], Awaitable[object]]
    strict_json_schema: bool = True
    is_enabled: Enabled = True

    @property
    def definition(self) -> ToolDefinition:
        """The definition that a model gets."""
        return ToolDefinition(
            self.name, self.description, self.params_json_schema, self.strict_json_schema
        )

    async def invoke(self, ctx: RunContextWrapper[Any], arguments: str) -> ToolOutput:
        """Call it. An error that this raises ends the run."""
        with exits_as_errors():
            return to_output(await self.on_invoke_tool(ctx, arguments))


def default_tool_error_function(ctx: RunContextWrapper[Any], error: Exception) -> str:  # noqa: ARG001 - as any ToolErrorFunction
    """The output that a model is shown when a tool failed: the class of the error.

    Not its text, which may contain passwords and addresses, and would go to the provider.
    """
    return f"The tool failed ({type(error).__name__}). Try something else, or say that it failed."


@overload
def function_tool(
    func: Function,
    *,
    name_override: str | None = None,
    description_override: str | None = None,
    use_docstring_info: bool = True,
    failure_error_function: ToolErrorFunction | None = default_tool_error_function,
    strict_mode: bool = True,
    is_enabled: Enabled = True,
) -> FunctionTool: ...


@overload
def function_tool(
    func: None = None,
    *,
    name_override: str | None = None,
    description_override: str | None = None,
    use_docstring_info: bool = True,
    failure_error_function: ToolErrorFunction | None = default_tool_error_function,
    strict_mode: bool = True,
    is_enabled: Enabled = True,
) -> Callable[[Function], FunctionTool]: ...


def function_tool(
    func: Function | None = None,
    *,
    name_override: str | None = None,
    description_override: str | None = None,
    use_docstring_info: bool = True,
    failure_error_function: ToolErrorFunction | None = default_tool_error_function,
    strict_mode: bool = True,
    is_enabled: Enabled = True,
) -> FunctionTool | Callable[[Function], FunctionTool]:
    """Make a function a tool, from its name, type hints and docstring.

        @function_tool
        def weather(city: str) -> str:
            return f"It rains in {city}."

    A first parameter hinted as `RunContextWrapper`, or named `ctx` without a hint, gets the
    context of the run; the model doesn't see it. A plain function runs in a thread of its own
    and doesn't block the event loop; a coroutine function runs on the loop.

    failure_error_function: turns an error of the function into the output that the model is
        shown; None lets the error end the run. Arguments that don't fit never end it: the
        model is shown what is wrong.
    strict_mode: make the schema strict. Raises `TypeError` if the types don't allow it.
    """

    def made(function: Function) -> FunctionTool:
        signature = Signature.of(function, use_docstring=use_docstring_info)
        return FunctionTool(
            name=_checked(name_override or name_of(function)),
            description=signature.description
            if description_override is None
            else description_override,
            params_json_schema=signature.schema(strict=strict_mode),
            on_invoke_tool=_Invocation(function, signature, failure_error_function),
            strict_json_schema=strict_mode,
            is_enabled=is_enabled,
        )

    if func is None:
        return made
    _check_function(func)
    return made(func)


@dataclass(frozen=True)
class _Invocation:
    """Calls a function with the arguments of a model."""

    function: Function
    signature: Signature
    on_failure: ToolErrorFunction | None

    async def __call__(self, ctx: RunContextWrapper[Any], arguments: str) -> object:
        try:
            return await self._outcome(ctx, arguments)
        except Exception as error:
            if self.on_failure is None:
                raise
            shown = self.on_failure(ctx, error)
            return await shown if inspect.isawaitable(shown) else shown

    async def _outcome(self, ctx: RunContextWrapper[Any], arguments: str) -> ToolOutput:
        try:
            bound = self.signature.bind(arguments)
        except pydantic.ValidationError as error:
            return _misfit(error)
        try:
            with exits_as_errors():
                return to_output(await self._call(ctx, bound))
        except asyncio.CancelledError as error:
            if is_cancelled():
                raise
            # Something else was cancelled, and not the run, which goes on.
            raise RuntimeError("a task that the tool waited for was cancelled") from error

    async def _call(self, ctx: RunContextWrapper[Any], bound: inspect.BoundArguments) -> object:
        args = [ctx, *bound.args] if self.signature.takes_context else [*bound.args]
        if _is_async(self.function):
            result = self.function(*args, **bound.kwargs)
        else:
            result = await in_thread(self.function, *args, **bound.kwargs)
        return await result if inspect.isawaitable(result) else result


def _check_function(func: object) -> None:
    if isinstance(func, FunctionTool):
        raise TypeError(f"{func.name} is a tool already: leave out the second function_tool")
    if is_of_sdk(func):
        raise TypeError(f"a function is needed, not {given(func)}: give the function that it calls")
    if not callable(func):
        raise TypeError(
            f"a function is needed, not {given(func)}: write @function_tool above the function, or "
            f"@function_tool(name_override=…)"
        )


def _checked(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        raise ValueError(
            f"a tool can't be named {name!r}: providers accept up to 64 letters, digits, _ and -; "
            f"give name_override"
        )
    return name


def _is_async(function: Function) -> bool:
    call = getattr(type(function), "__call__", None)  # noqa: B004 - inspected, not tested
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _misfit(error: pydantic.ValidationError) -> str:
    """The output for arguments that don't fit: which ones, and why."""
    problems = [
        {"argument": ".".join(map(str, problem["loc"])), "problem": problem["msg"]}
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return f"The arguments don't fit, so the tool was not called: {json.dumps(problems)}"
