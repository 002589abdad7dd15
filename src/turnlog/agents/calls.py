"""Calls of one response: tools run at the same time, each output is stored when it is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from turnlog.agents.agent import Agent
from turnlog.agents.context import RunContextWrapper, ToolContext
from turnlog.agents.handoffs import Handoff, transfer_message
from turnlog.agents.result import HandoffOutputItem, RunItem, ToolCallOutputItem
from turnlog.agents.tools.exits import exits_as_errors
from turnlog.agents.tools.output import ToolOutput
from turnlog.agents.tools.tool import FunctionTool
from turnlog.items.json import Item

__all__ = ["call_tools", "hand_over"]

#: Stores an item and reports it to the watcher of the run.
Keep: TypeAlias = Callable[[RunItem], Awaitable[None]]


async def call_tools(
    agent: Agent,
    calls: list[Item],
    tools: dict[str, FunctionTool],
    context: RunContextWrapper[Any],
    keep: Keep,
) -> None:
    """Call all tools at the same time and keep each output when it is there.

    If one raises, or the run is cancelled, the others are cancelled. The outputs of those
    that had finished by then are kept all the same.
    """
    tasks = [asyncio.create_task(_call(call, tools, context)) for call in calls]
    waiting = dict(zip(tasks, calls, strict=True))
    try:
        while waiting:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in [task for task in tasks if task in done]:
                output = task.result()
                await keep(_output_item(agent, waiting.pop(task), output))
    except BaseException as error:
        await _give_up(agent, waiting, keep, error)
        raise


async def _give_up(
    agent: Agent,
    waiting: dict[asyncio.Task[ToolOutput], Item],
    keep: Keep,
    error: BaseException,
) -> None:
    """Cancel the calls that are left, and keep the outputs of those that finish all the same.

    error: the one that the caller raises.
    """
    for task in waiting:
        task.cancel()
    if waiting:
        await asyncio.wait(waiting)
    for task, call in waiting.items():
        # The error of a second call is dropped: the caller gets the first one.
        if not task.cancelled() and task.exception() is None:
            try:
                await keep(_output_item(agent, call, task.result()))
            except Exception as second:  # noqa: BLE001 - as above
                error.add_note(
                    f"the output of another call was not stored: {type(second).__name__}"
                )


async def _call(
    call: Item, tools: dict[str, FunctionTool], context: RunContextWrapper[Any]
) -> ToolOutput:
    name, arguments = call["name"], call.get("arguments") or "{}"
    tool = tools.get(name)
    if tool is None:
        # For the model, which invented the name or saw it used by an earlier agent.
        return f"There is no tool {name!r}. The tools are: {', '.join(tools) or 'none'}."
    about = ToolContext(
        context.context, context.usage, name, str(call.get("call_id", "")), arguments
    )
    return await tool.invoke(about, arguments)


def _output_item(agent: Agent, call: Item, output: ToolOutput) -> ToolCallOutputItem:
    return ToolCallOutputItem(agent, _output_of(call, output))


def _output_of(call: Item, output: ToolOutput) -> Item:
    return {"call_id": call["call_id"], "output": output, "type": "function_call_output"}


async def hand_over(
    agent: Agent,
    calls: list[Item],
    handoffs: dict[str, Handoff],
    context: RunContextWrapper[Any],
    keep: Keep,
) -> tuple[Agent, Handoff]:
    """Hand the conversation to the first agent that the model named; that agent, and how."""
    first, *others = calls
    for call in others:
        ignored = "Ignored: the conversation was handed to another agent."
        await keep(_output_item(agent, call, ignored))
    chosen = handoffs[first["name"]]
    with exits_as_errors():
        target = await chosen.on_invoke_handoff(context, first.get("arguments") or "{}")
    output = _output_of(first, transfer_message(target.name))
    await keep(HandoffOutputItem(agent, output, target))
    return target, chosen
