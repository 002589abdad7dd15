"""Model objects as items: what was set, and the defaults that say something."""

from typing import Any

import pytest
from openai.types.responses import ResponseOutputMessage, ResponseOutputText
from pydantic import BaseModel, Field

from turnlog.items.json import decode, encode


class Part(BaseModel):
    text: str
    type: str = "input_text"
    note: str | None = None


class Msg(BaseModel):
    content: str | list[Part]
    role: str = "user"
    name: str | None = None
    tags: list[str] = Field(default_factory=list)
    first: Part = Part(text="default")


CASES: list[tuple[Msg, dict[str, Any]]] = [
    (Msg(content="hi"), {"content": "hi", "role": "user"}),
    (Msg(content="hi", role="system"), {"content": "hi", "role": "system"}),
    (Msg(content="hi", name=None), {"content": "hi", "role": "user", "name": None}),
    (
        Msg(content=[Part(text="a"), Part(text="b", note=None)]),
        {
            "content": [
                {"text": "a", "type": "input_text"},
                {"text": "b", "type": "input_text", "note": None},
            ],
            "role": "user",
        },
    ),
]


@pytest.mark.parametrize(("model", "expected"), CASES)
def test_a_default_is_kept_and_a_null_that_nobody_set_is_not(
    model: Msg, expected: dict[str, Any]
) -> None:
    default = {"text": "default", "type": "input_text"}
    expected = {**expected, "tags": [], "first": default}
    assert decode(encode(model)) == expected
    assert decode(encode({"in": [model], "big": 2**70})) == {"in": [expected], "big": 2**70}


def test_responses_of_the_client_grow_no_nulls() -> None:
    text = ResponseOutputText.construct(text="hi", type="output_text", annotations=[])
    message = ResponseOutputMessage.construct(
        id="msg_1", content=[text], role="assistant", status="completed", type="message"
    )
    assert decode(encode(message)) == message.model_dump(exclude_unset=True)
    assert b"null" not in encode(message)
