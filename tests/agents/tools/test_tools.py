"""Functions as tools: what a model is told of them, and what comes of its calls."""

import asyncio
import contextvars
import json
import threading
from collections.abc import Callable
from datetime import date
from enum import Enum
from functools import partial
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from tests.fake_models import Echo
from tests.providers.openai_rules import check_strict
from turnlog import Agent, Runner
from turnlog.agents.context import RunContextWrapper, ToolContext
from turnlog.agents.tools.docstrings import documented
from turnlog.agents.tools.output import (
    ToolOutputFileContent,
    ToolOutputImage,
    ToolOutputText,
    to_output,
)
from turnlog.agents.tools.strict import strict_schema
from turnlog.agents.tools.tool import FunctionTool, function_tool

pytestmark = pytest.mark.anyio

CONTEXT = RunContextWrapper("the context")


async def called(tool: FunctionTool, **arguments: object) -> Any:
    return await tool.invoke(CONTEXT, json.dumps(arguments))


# What a model is told


def test_the_schema_comes_from_hints_and_docstring() -> None:
    @function_tool
    def weather(city: str, days: int = 3, unit: Literal["C", "F"] = "C") -> str:
        """Tell the weather.

        Any city will do.

        Args:
            city: Where it
                is: near or far.
            days (int): How many.
        """
        return city

    assert weather.name == "weather"
    assert weather.description == "Tell the weather.\n\nAny city will do."
    assert weather.definition.parameters == {
        "title": "weather_args",
        "type": "object",
        "properties": {
            "city": {"title": "City", "type": "string", "description": "Where it is: near or far."},
            "days": {"title": "Days", "type": "integer", "description": "How many."},
            "unit": {"title": "Unit", "type": "string", "enum": ["C", "F"]},
        },
        "required": ["city", "days", "unit"],
        "additionalProperties": False,
    }


GOOGLE = """Look.

Args:
    *what: A thing,
        seen: clearly.
    how (str, optional): Well.

Returns:
    where: nowhere.
"""
NUMPY = """Look.

Parameters
----------
what : str
    A thing,
    seen: clearly.
how : str, optional
    Well.

Returns
-------
where : str
    Nowhere.
"""
SPHINX = """Look.

:param what: A thing,
    seen: clearly.
:param str how: Well.
:returns: where: nowhere.
:rtype: str
"""


@pytest.mark.parametrize("docstring", [GOOGLE, NUMPY, SPHINX])
def test_docstrings_of_three_styles(docstring: str) -> None:
    said = {"what": "A thing, seen: clearly.", "how": "Well."}
    assert documented(docstring) == ("Look.", said)


@pytest.mark.parametrize("docstring", [None, "", "Look: well.", "Look.\n\nNote: it: rains."])
def test_a_docstring_without_sections_is_all_text(docstring: str | None) -> None:
    assert documented(docstring) == (docstring or "", {})


def test_names_and_words_can_be_overridden() -> None:
    @function_tool(name_override="look", description_override="", use_docstring_info=False)
    def f(at: str) -> str:
        """Not this.

        Args:
            at: Nor this.
        """
        return at

    assert (f.name, f.description) == ("look", "")
    assert "description" not in f.params_json_schema["properties"]["at"]


class Place(BaseModel):
    name: str
    near: list["Place"] = []
    tag: Annotated[str | None, Field(description="Any.")] = None


class Colour(Enum):
    RED = "red"


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    barks: bool


@function_tool
def rich(
    ctx: RunContextWrapper[str],
    place: Annotated[Place, Field(description="Where.")],
    pet: Annotated[Cat | Dog, Field(discriminator="kind")],
    when: date,
    colour: Colour = Colour.RED,
    *rest: int,
) -> dict[str, object]:
    """Take all sorts."""
    return {
        "ctx": ctx.context,
        "types": [type(a).__name__ for a in (place, pet, when, colour)],
        "rest": rest,
    }


async def test_rich_types_go_in_checked_and_in_a_strict_schema() -> None:
    check_strict(rich.params_json_schema, rich.name)
    assert rich.params_json_schema["properties"]["place"]["description"] == "Where."
    assert "ctx" not in rich.params_json_schema["properties"]
    place = {"name": "Oslo", "near": [{"name": "Bergen"}]}
    pet = {"kind": "dog", "barks": True}
    output = await called(rich, place=place, pet=pet, when="2026-01-02", colour="red", rest=[1, 2])
    assert json.loads(output) == {
        "ctx": "the context",
        "types": ["Place", "Dog", "date", "Colour"],
        "rest": [1, 2],
    }


def test_what_cannot_be_strict_says_where() -> None:
    def free(filters: dict[str, int]) -> None: ...

    with pytest.raises(TypeError, match="filters: a strict schema must name every key"):
        function_tool(free)
    loose = function_tool(strict_mode=False)(free)
    assert loose.definition.strict is False


async def test_keywords_are_passed_on_where_strictness_is_off() -> None:
    @function_tool(strict_mode=False)
    def f(a: int = 1, **more: int) -> str:
        return f"{a} {more}"

    assert await called(f, more={"b": 2}) == "1 {'b': 2}"
    assert await called(f) == "1 {}"
    assert "required" not in f.params_json_schema


def test_a_hint_that_cannot_be_found_says_which() -> None:
    def f(a: int) -> None: ...

    f.__annotations__["a"] = "Missing"
    with pytest.raises(TypeError, match="f: the type hint 'Missing' can't be found"):
        function_tool(f)


def test_a_strict_schema_has_no_defaults_and_no_oneof_and_bare_references() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "a": {"$ref": "#/$defs/A", "description": "x", "default": 1},
            "b": {"oneOf": [{"type": "string", "default": ""}], "discriminator": {}},
            "c": {"type": "object", "additionalProperties": False},
        },
        "$defs": {
            "A": {"type": "object", "properties": {"self": {"$ref": "#/$defs/A", "title": "t"}}}
        },
    }
    made = strict_schema(schema)
    check_strict(made, "x")
    assert made["properties"]["a"]["description"] == "x"
    assert schema["properties"]["a"]["default"] == 1, "what was given stays"


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
    both = threading.Barrier(2, timeout=10)

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
    all_there = threading.Barrier(count, timeout=20)

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
    with pytest.raises(TypeError, match=r"function_tool\(…\); this is a function"):
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


ODD_DOCSTRINGS = {
    "deep": """Get it.

        Args:
                city: The city.
                unit: The unit.
        """,
    "nested types": """Get it.

        Args:
            city (Optional[dict(str, tuple(int))]): The city.
            unit (str): The unit.

        Important: only once.
        """,
    "numpy": """Get it.

        Parameters
        ----------
        city : str
            The city.
        unit : str
            The unit.

        See Also
        --------
        other : A function.
        """,
}


@pytest.mark.parametrize("style", ODD_DOCSTRINGS)
def test_odd_docstrings(style: str) -> None:
    said = documented(ODD_DOCSTRINGS[style])
    assert said.text == "Get it."
    assert said.parameters == {"city": "The city.", "unit": "The unit."}


def test_two_parameters_may_share_a_text() -> None:
    said = documented("Get it.\n\nParameters\n----------\ncity, unit : str\n    Both.")
    assert said.parameters == {"city": "Both.", "unit": "Both."}


def test_a_title_may_be_underlined() -> None:
    assert "Finds" in documented("Search docs\n-----------\nFinds anything.").text


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
