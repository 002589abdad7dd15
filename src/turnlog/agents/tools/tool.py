"""Functions that a model may call."""

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
from turnlog.loops.finishing import is_cancelled

__all__ = [
    "Enabled",
    "FunctionTool",
    "ToolErrorFunction",
    "default_tool_error_function",
    "function_tool",
]

#: Called with the context and the error; what it returns is what the model is shown.
ToolErrorFunction: TypeAlias = Callable[[RunContextWrapper[Any], Exception], str | Awaitable[str]]

#: Whether a tool is offered in a run; a function is called with the context and the agent.
Enabled: TypeAlias = bool | Callable[[RunContextWrapper[Any], Any], bool | Awaitable[bool]]

Function: TypeAlias = Callable[..., object]


@dataclass
class FunctionTool:
    """A function that a model may call.

    params_json_schema: the JSON Schema of its arguments.
    on_invoke_tool: called with the context and the arguments, a JSON text; what it returns
        is shown to the model, as text, parts, or JSON.
    strict_json_schema: the provider holds the model to the schema.
    is_enabled: whether it is offered; a function is asked for each run.
    """

    name: str
    description: str
    params_json_schema: JSONSchema
    on_invoke_tool: Callable[[RunContextWrapper[Any], str], Awaitable[object]]
    strict_json_schema: bool = True
    is_enabled: Enabled = True

    @property
    def definition(self) -> ToolDefinition:
        """What a model is told of it."""
        return ToolDefinition(
            self.name, self.description, self.params_json_schema, self.strict_json_schema
        )

    async def invoke(self, ctx: RunContextWrapper[Any], arguments: str) -> ToolOutput:
        """Call it. An error that comes out of here is to end the run."""
        with exits_as_errors():
            return to_output(await self.on_invoke_tool(ctx, arguments))


def default_tool_error_function(ctx: RunContextWrapper[Any], error: Exception) -> str:  # noqa: ARG001 - the form of all of them
    """What the model is shown when a tool failed: the kind of error.

    Not its text: that may hold passwords and addresses, and would go to the provider.
    """
    return f"The tool failed ({type(error).__name__}). Try something else, or say that it failed."


@overload
def function_tool(func: Function) -> FunctionTool: ...


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
        def weather(city: str) -> str: ...

    A first parameter hinted as `RunContextWrapper`, or named `ctx` without a hint, gets the
    context of the run; the model knows nothing of it. A plain function runs in a thread of
    its own and halts nobody; a coroutine function runs on the loop.

    failure_error_function: turns an error of the function into what the model is shown;
        None lets it end the run. Arguments that don't fit never do: the model is told.
    strict_mode: the schema is of the strict kind. Raises `TypeError` where it can't be.
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

    return made if func is None else made(func)


@dataclass(frozen=True)
class _Invocation:
    """Calls a function with what a model gave as arguments."""

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
            # It waited for something that somebody else cancelled: the run goes on.
            raise RuntimeError("something that the tool waited for was cancelled") from error

    async def _call(self, ctx: RunContextWrapper[Any], bound: inspect.BoundArguments) -> object:
        args = [ctx, *bound.args] if self.signature.takes_context else [*bound.args]
        if _is_async(self.function):
            result = self.function(*args, **bound.kwargs)
        else:
            result = await in_thread(self.function, *args, **bound.kwargs)
        return await result if inspect.isawaitable(result) else result


def _checked(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        raise ValueError(
            f"{name!r} is no name for a tool: providers take letters, digits, _ and -, at most 64 "
            f"of them; give name_override"
        )
    return name


def _is_async(function: Function) -> bool:
    call = getattr(type(function), "__call__", None)  # noqa: B004 - it is looked into, not tested
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(call)


def _misfit(error: pydantic.ValidationError) -> str:
    """Which arguments don't fit and why, as far as the function's own checks tell."""
    problems = [
        {"argument": ".".join(map(str, problem["loc"])), "problem": problem["msg"]}
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return f"The arguments don't fit, so the tool was not called: {json.dumps(problems)}"
