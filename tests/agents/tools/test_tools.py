"""Function tools: their context, their calls, and their outputs."""

import asyncio
import contextvars
import json
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.agents.tools.samples import CONTEXT, called
from tests.fake_models import Echo
from turnlog import Agent, Runner
from turnlog.agents.context import RunContextWrapper, ToolContext
from turnlog.agents.tools.output import (
    ToolOutputFileContent,
    ToolOutputImage,
    ToolOutputText,
    to_output,
)
from turnlog.agents.tools.tool import FunctionTool, function_tool

pytestmark = pytest.mark.anyio


# The context


def by_hint(anything: RunContextWrapper[Any], a: int) -> str:
    return f"{anything.context} {a}"


def by_tool_hint(anything: ToolContext[str], a: int) -> str:
    return f"{anything.context} {a}"


def by_name(ctx, a: int) -> str:  # type: ignore[no-untyped-def] # noqa: ANN001 - that is the point
    return f"{ctx.context} {a}"


@pytest.mark.parametrize("function", [by_hint, by_tool_hint, by_name])
async def test_the_first_parameter_may_be_the_context(function: Callable[..., str]) -> None:
    tool = function_tool(function)
    assert list(tool.params_json_schema["properties"]) == ["a"]
    assert await called(tool, a=1) == "the context 1"


async def test_a_hinted_context_of_another_kind_is_an_argument() -> None:
    @function_tool
    def f(context: str) -> str:
        return context

    assert await called(f, context="mine") == "mine"


# Calls


async def test_plain_functions_run_off_the_loop_with_their_context_variables() -> None:
    who = contextvars.ContextVar("who", default="nobody")
    who.set("Alice")

    @function_tool
    def f() -> str:
        return f"{who.get()} {threading.current_thread() is threading.main_thread()}"

    @function_tool
    async def g() -> str:
        return f"{who.get()} {threading.current_thread() is threading.main_thread()}"

    assert await called(f) == "Alice False"
    assert await called(g) == "Alice True"


async def test_two_plain_functions_run_at_once() -> None:
    both = threading.Barrier(2, timeout=60)

    @function_tool
    def f() -> int:
        return both.wait() * 0

    assert list(await asyncio.gather(called(f), called(f))) == ["0", "0"]


async def test_callable_objects_are_tools() -> None:
    class Look:
        async def __call__(self, at: str) -> str:
            """Look at something."""
            return f"seen {at}"

    tool = function_tool(Look())
    assert tool.name == "Look"
    assert await called(tool, at="it") == "seen it"


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_failing_tool_is_shown_without_its_words(asynchronous: bool) -> None:
    def f() -> None:
        raise OSError("postgres://me:password@host")

    async def g() -> None:
        f()

    output = await called(function_tool(g if asynchronous else f))
    assert "OSError" in output
    assert "password" not in output


async def test_a_failing_tool_is_told_of_as_configured() -> None:
    def f() -> None:
        raise OSError("no such place")

    async def later(ctx: RunContextWrapper[Any], error: Exception) -> str:
        return f"{ctx.context}: {error}"

    tell = function_tool(failure_error_function=lambda ctx, error: f"{ctx.context}: {error}")(f)
    assert await called(tell) == "the context: no such place"
    tell = function_tool(failure_error_function=later)(f)
    assert await called(tell) == "the context: no such place"
    with pytest.raises(OSError, match="no such place"):
        await called(function_tool(failure_error_function=None)(f))


async def test_an_output_that_holds_itself_is_a_failure() -> None:
    @function_tool
    def f() -> list[object]:
        itself: list[object] = []
        itself.append(itself)
        return itself

    assert "The tool failed" in await called(f)


async def test_a_cancelled_tool_is_no_failure() -> None:
    @function_tool
    async def f() -> None:
        await asyncio.sleep(60)

    task = asyncio.create_task(called(f))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_what_a_tool_waited_for_may_be_cancelled() -> None:
    @function_tool
    async def f() -> None:
        other = asyncio.create_task(asyncio.sleep(60))
        other.cancel()
        await other

    assert "RuntimeError" in str(await called(f))


async def test_a_plain_tool_may_raise_what_no_future_holds() -> None:
    @function_tool
    def f() -> str:
        return str(next(iter([])))

    assert "RuntimeError" in str(await called(f))


async def test_plain_tools_may_wait_for_each_other() -> None:
    """More of them than any pool has threads."""
    count = 64
    all_there = threading.Barrier(count, timeout=60)

    @function_tool
    def f() -> str:
        all_there.wait()
        return "met"

    assert await asyncio.gather(*(called(f) for _ in range(count))) == ["met"] * count


async def test_data_that_looks_like_a_part_is_data() -> None:
    @function_tool
    def f() -> list[dict[str, object]]:
        return [{"type": "file", "file_id": "17", "name": "a.txt", "bytes": 12}]

    assert json.loads(str(await called(f)))[0]["bytes"] == 12


def test_what_is_no_tool_is_named() -> None:
    def look() -> str:
        return "seen"

    wrong: Any = look
    with pytest.raises(
        TypeError, match="not a function: decorate the function with @function_tool"
    ):
        Agent("A", tools=[wrong])


async def test_two_tools_of_one_name_are_refused() -> None:
    @function_tool(name_override="look")
    def first() -> str:
        return "1"

    @function_tool(name_override="look")
    def second() -> str:
        return "2"

    with pytest.raises(ValueError, match="'look'"):
        await Runner.run(Agent("A", model=Echo(), tools=[first, second]), "go")
    both = [Agent("客服"), Agent("销售")]
    with pytest.raises(ValueError, match="'transfer_to___'"):
        await Runner.run(Agent("A", model=Echo(), handoffs=both), "go")


def test_what_json_has_no_form_for_is_shown_as_python_shows_it() -> None:
    assert to_output(object) == f'"{object}"'


def test_parts_stay_parts() -> None:
    text = {"type": "input_text", "text": "a"}
    image = {"type": "input_image", "image_url": "https://a.b/c.png", "detail": "low"}
    file = {"type": "input_file", "file_data": "AAAA", "filename": "a.pdf"}
    made = [
        ToolOutputText("a"),
        ToolOutputImage("https://a.b/c.png", detail="low"),
        ToolOutputFileContent("AAAA", filename="a.pdf"),
    ]
    assert to_output(made) == [text, image, file]
    assert to_output(ToolOutputText("a")) == [text]
    assert to_output({"type": "text", "text": "a"}) == [text]
    assert to_output([image, file]) == [image, file]


async def test_a_tool_may_be_made_by_hand() -> None:
    async def invoke(ctx: RunContextWrapper[Any], arguments: str) -> object:
        return {"given": arguments, "context": ctx.context}

    tool = FunctionTool("look", "Look.", {"type": "object"}, invoke, strict_json_schema=False)
    assert tool.definition.name == "look"
    assert json.loads(await tool.invoke(CONTEXT, "{}")) == {"given": "{}", "context": "the context"}  # type: ignore[arg-type] # text here


def test_a_function_with_arguments_given_is_a_tool() -> None:
    def look(place: str, *, deep: bool) -> str:
        """Look around."""
        return f"{place} {deep}"

    tool = function_tool(partial(look, deep=True))
    assert (tool.name, tool.description) == ("look", "Look around.")
    assert list(tool.params_json_schema["properties"]) == ["place"]


def test_what_can_be_no_tool_says_so() -> None:
    def look(place: str, ctx: RunContextWrapper[None]) -> str:
        return place

    with pytest.raises(TypeError, match="the context must be the first parameter"):
        function_tool(look)
    with pytest.raises(ValueError, match="give name_override"):
        function_tool(lambda: "seen")
    assert function_tool(name_override="look")(lambda: "seen").name == "look"
