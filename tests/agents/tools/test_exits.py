"""Exits: code that a model calls and that tries to end the program."""

import asyncio
import sys
from typing import Any

import pytest

from tests.sample_items import answer
from turnlog import Agent, FunctionTool, ModelRequest, ModelResponse, Runner, function_tool, handoff

pytestmark = pytest.mark.anyio


class Calling:
    """A model that calls `name`, then answers."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def respond(self, request: ModelRequest) -> ModelResponse:
        if len(request.items) > 1:
            return ModelResponse([answer("done")])
        call = {"call_id": "c", "name": self.name, "arguments": "{}"}
        return ModelResponse([{"type": "function_call", **call}])


def in_a_thread() -> str:
    sys.exit(3)


async def on_the_loop() -> str:
    await asyncio.sleep(0)
    raise SystemExit


@pytest.mark.parametrize("function", [in_a_thread, on_the_loop])
async def test_a_tool_that_exits_has_failed(function: Any) -> None:
    tool: Any = function_tool(function)
    agent = Agent("A", model=Calling(function.__name__), tools=[tool])
    result = await asyncio.create_task(Runner.run(agent, "go"))
    assert "The tool failed (RuntimeError)" in str(result.new_items[1].raw_item)
    assert result.final_output == "done"


@pytest.mark.parametrize("function", [in_a_thread, on_the_loop])
async def test_one_whose_failures_end_the_run_ends_no_more_than_that(function: Any) -> None:
    tool: Any = function_tool(function, failure_error_function=None)
    agent = Agent("A", model=Calling(function.__name__), tools=[tool])
    with pytest.raises(RuntimeError, match="SystemExit"):
        await asyncio.create_task(Runner.run(agent, "go"))


async def test_a_tool_made_by_hand() -> None:
    async def leave(_context: Any, _arguments: str) -> str:
        raise SystemExit(1)

    tool: Any = FunctionTool("leave", "Leaves.", {"type": "object", "properties": {}}, leave)
    with pytest.raises(RuntimeError, match="SystemExit"):
        await Runner.run(Agent("A", model=Calling("leave"), tools=[tool]), "go")


async def test_a_handoff_that_exits() -> None:
    def leave(_context: Any) -> None:
        sys.exit(1)

    model = Calling("transfer_to_b")
    agent = Agent("A", model=model, handoffs=[handoff(Agent("B", model=model), on_handoff=leave)])
    with pytest.raises(RuntimeError, match="SystemExit"):
        await asyncio.create_task(Runner.run(agent, "go"))
