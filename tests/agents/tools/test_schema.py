"""Schemas: what a model is told of a function."""

import json
from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from tests.agents.tools.samples import called
from tests.providers.openai_rules import check_strict
from turnlog.agents.context import RunContextWrapper
from turnlog.agents.tools.strict import strict_schema
from turnlog.agents.tools.tool import function_tool

pytestmark = pytest.mark.anyio


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
