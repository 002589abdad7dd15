"""Output types: answers that are more than text."""

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from typing_extensions import TypedDict

from tests.providers.openai_rules import check_strict
from turnlog.agents.output import OutputType
from turnlog.errors import ModelBehaviorError


class Person(BaseModel):
    name: str
    age: int = 3
    friends: list["Person"] = []


@dataclass
class Point:
    x: int
    y: int | None = None


class Entry(TypedDict):
    key: str


CASES: list[tuple[Any, str, object]] = [
    (Person, '{"name":"Al","age":4,"friends":[]}', Person(name="Al", age=4)),
    (Point, '{"x":1,"y":null}', Point(1)),
    (Entry, '{"key":"a"}', {"key": "a"}),
    (int, '{"response":3}', 3),
    (list[Point], '{"response":[{"x":1,"y":2}]}', [Point(1, 2)]),
    (Person | Point, '{"response":{"x":1,"y":2}}', Point(1, 2)),
    (str | None, '{"response":null}', None),
]


@pytest.mark.parametrize(("kind", "text", "value"), CASES)
def test_an_answer_becomes_a_value(kind: Any, text: str, value: object) -> None:
    output = OutputType.of(kind)
    assert output is not None
    assert output.parse(text) == value
    definition = output.definition
    assert (definition.name, definition.strict) == ("final_output", True)
    assert definition.schema["type"] == "object"
    check_strict(definition.schema, definition.name)


@pytest.mark.parametrize("kind", [str, None])
def test_text_needs_no_asking(kind: Any) -> None:
    assert OutputType.of(kind) is None


@pytest.mark.parametrize(
    ("kind", "text", "problem"),
    [
        (Person, "A secret.", "does not fit Person: the whole (json_invalid)"),
        (Person, '{"nom":"a secret"}', "does not fit Person: name (missing)"),
        (Person, '{"name":"x","friends":[{"age":"a secret"}]}', "friends.0.age (int_parsing)"),
        (int, '{"response":"a secret"}', "does not fit int: response (int_parsing)"),
        (list[int], "{}", "does not fit list[int]: response (missing)"),
    ],
)
def test_an_answer_that_does_not_fit_names_the_type_and_not_the_words(
    kind: Any, text: str, problem: str
) -> None:
    output = OutputType.of(kind)
    assert output is not None
    with pytest.raises(ModelBehaviorError) as caught:
        output.parse(text)
    assert problem in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_keys_that_the_model_made_up_are_its_words() -> None:
    output: OutputType[dict[str, int]] | None = OutputType.of(dict[str, int], strict=False)
    assert output is not None
    assert output.parse('{"response":{"a":1}}') == {"a": 1}
    with pytest.raises(ModelBehaviorError, match=r"response\.… \(int_parsing\)"):
        output.parse('{"response":{"a secret":"x"}}')


def test_a_type_without_a_strict_schema_says_so() -> None:
    with pytest.raises(TypeError, match=r"output_type dict\[str, int\]: response"):
        OutputType.of(dict[str, int])
