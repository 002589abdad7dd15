"""Output types: the type of an agent's final answer, if it is not text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from turnlog.agents.models.model import JSONSchema, OutputSchema
from turnlog.agents.tools import pydantic
from turnlog.agents.tools.strict import strict_schema
from turnlog.errors import ModelBehaviorError

__all__ = ["OutputType"]

T = TypeVar("T")


@dataclass(frozen=True)
class OutputType(Generic[T]):
    """The type of a model's answer; made with `OutputType.of`.

    wrapped: whether the answer is the field `response` of an object, made for the APIs.
    """

    name: str
    schema: JSONSchema
    strict: bool
    adapter: pydantic.TypeAdapter[Any]
    wrapped: bool

    @classmethod
    def of(cls, output_type: type[T] | Any, *, strict: bool = True) -> OutputType[T] | None:
        """`output_type` as an `OutputType`; None for text, which needs none.

        output_type: a pydantic model, a dataclass, a TypedDict, or any other type that
            pydantic knows. An `OutputType` is returned as it is.

        Raises `TypeError` if the type has no strict schema. Such a type is given as
        ``Agent(output_type=OutputType.of(…, strict=False))``.
        """
        if output_type is None or output_type is str:
            return None
        if isinstance(output_type, cls):
            return output_type
        adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(output_type)
        schema = adapter.json_schema()
        wrapped = not _is_object(schema)
        if wrapped:
            # To the APIs, an answer is always an object.
            adapter = pydantic.TypeAdapter(
                pydantic.create_model("final_output", response=(output_type, ...))
            )
            schema = adapter.json_schema()
        name = _name(output_type)
        try:
            made = strict_schema(schema) if strict else schema
        except TypeError as error:
            raise TypeError(f"output_type {name}: {error}") from None
        return cls(name, made, strict, adapter, wrapped)

    @property
    def definition(self) -> OutputSchema:
        """The schema that a model gets."""
        return OutputSchema("final_output", self.schema, self.strict)

    def parse(self, text: str) -> T:
        """The value of the answer `text`.

        Raises `ModelBehaviorError` if it doesn't fit the type. The error names the type and
        the places that don't fit, and never quotes the model.
        """
        try:
            value = self.adapter.validate_json(text)
        except pydantic.ValidationError as error:
            problems = _problems(error, set(_keys(self.schema)))
            raise ModelBehaviorError(f"the answer does not fit {self.name}: {problems}") from None
        result: T = value.response if self.wrapped else value
        return result


def _is_object(schema: JSONSchema) -> bool:
    """Whether the schema is of an object whose keys are known."""
    if "$ref" in schema:
        schema = schema["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema.get("type") == "object" and "properties" in schema


def _name(output_type: Any) -> str:
    # The name of list[int] is "list", without the int.
    if isinstance(output_type, type) and not getattr(output_type, "__args__", ()):
        return output_type.__name__
    return str(output_type)


def _problems(error: pydantic.ValidationError, known: set[str]) -> str:
    """The places where the answer doesn't fit, and pydantic's name of each problem."""
    return "; ".join(
        f"{'.'.join(_step(step, known) for step in problem['loc']) or 'the whole'} "
        f"({problem['type']})"
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    )


def _step(step: int | str, known: set[str]) -> str:
    # A key that is not in the schema was made by the model, so it is content.
    return str(step) if isinstance(step, int) or step in known else "…"


def _keys(schema: object) -> Iterator[str]:
    """The names of all properties in a schema."""
    if isinstance(schema, list):
        for part in schema:
            yield from _keys(part)
    elif isinstance(schema, dict):
        properties = schema.get("properties")
        yield from properties if isinstance(properties, dict) else ()
        yield from _keys(list(schema.values()))
