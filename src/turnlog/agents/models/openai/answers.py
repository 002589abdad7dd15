"""Answers of model servers: checked before they are used.

The client accepts whatever a server sends. Here an answer becomes plain data of the published
shape, or a `ModelBehaviorError` that says what was wrong and never quotes the answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from turnlog.convert.shapes import Message
from turnlog.errors import ModelBehaviorError
from turnlog.items.json import Item

__all__ = [
    "bodies_of",
    "body_of",
    "checked_delta",
    "checked_item",
    "checked_message",
    "choices_in",
    "code_in",
    "items_in",
    "message_in",
    "reading",
    "response_in",
    "text_in",
    "text_or_none",
]

T = TypeVar("T")

# A code or an id; a sentence does not match.
_CODE = re.compile(r"[A-Za-z0-9_.:-]{1,80}")


@contextmanager
def reading() -> Iterator[None]:
    """Within, an answer that is not JSON, or nested too deeply, raises `ModelBehaviorError`."""
    try:
        yield
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        # Without the cause, which holds the whole text.
        raise ModelBehaviorError("the answer of the model's server is not JSON") from None


def body_of(answer: object) -> Message:
    """The body of an answer that the client has read, as plain data."""
    to_dict = getattr(answer, "to_dict", None)
    if to_dict is None:
        raise _wrong("the answer of the model's server is", answer, "a JSON object")
    body = to_dict(mode="json", warnings=False)
    error = body.get("error")
    if error is not None and "status" not in body:
        raise ModelBehaviorError(f"the model's server reported an error: {code_in(error)}")
    return dict(body)


async def bodies_of(chunks: AsyncIterator[object]) -> AsyncIterator[Message]:
    """The chunks that a server streams, as plain data."""
    with reading():
        async for chunk in chunks:
            yield body_of(chunk)


def code_in(error: object) -> str:
    """The code of an error. Never its message, which may quote the conversation."""
    code = error.get("code") or error.get("type") if isinstance(error, Mapping) else error
    return code if isinstance(code, str) and _CODE.fullmatch(code) else "no code was given"


def text_or_none(value: object) -> str | None:
    """`value` if it is text and not empty."""
    return value if isinstance(value, str) and value else None


# Chat Completions


def message_in(completion: Message) -> Message:
    """The message of a completion, checked."""
    choices = completion.get("choices")
    if not choices:
        raise ModelBehaviorError("the completion holds no choice")
    first = _of_kind(choices, list, "the completion's choices are", "a list")[0]
    choice = _of_kind(first, dict, "a choice of the completion is", "an object")
    message = choice.get("message")
    return checked_message(_of_kind(message, dict, "the completion's message is", "an object"))


def checked_message(message: Message) -> Message:
    """An assistant's message, with calls that have a name."""
    content = message.get("content")
    if isinstance(content, list):
        for part in content:
            _of_kind(part, dict, "a part of the message is", "an object")
    elif content is not None:
        _of_kind(content, str, "the message's content is", "text")
    calls = message.get("tool_calls") or []
    _of_kind(calls, list, "the message's tool calls are", "a list")
    return {**message, "tool_calls": [_checked_call(call) for call in calls]}


def _checked_call(call: object) -> Message:
    call = _of_kind(call, dict, "a tool call is", "an object")
    kind = "custom" if call.get("type") == "custom" else "function"
    called = _of_kind(call.get(kind), dict, "the function of a tool call is", "an object")
    field = "input" if kind == "custom" else "arguments"
    return {
        **call,
        "id": text_or_none(call.get("id")) or "",
        kind: {**called, "name": _name_in(called), field: _arguments(called.get(field))},
    }


def choices_in(chunk: Message) -> list[Message]:
    """The choices of a chunk of a stream, which may have none."""
    choices = _of_kind(chunk.get("choices") or [], list, "the stream's choices are", "a list")
    return [_of_kind(each, dict, "a choice of the stream is", "an object") for each in choices]


def checked_delta(choice: Message) -> Message:
    """The part of the message that a choice of a chunk adds."""
    delta = choice.get("delta")
    if delta is None:
        return {}
    delta = _of_kind(delta, dict, "a piece of the message is", "an object")
    if delta.get("content") is not None:
        _of_kind(delta["content"], str, "a piece of the message's content is", "text")
    pieces = _of_kind(delta.get("tool_calls") or [], list, "the tool calls are", "a list")
    return {**delta, "tool_calls": [_checked_piece(piece) for piece in pieces]}


def _checked_piece(piece: object) -> Message:
    piece = _of_kind(piece, dict, "a piece of a tool call is", "an object")
    function = piece.get("function") or {}
    for value in _of_kind(function, dict, "a called function is", "an object").values():
        if value is not None:
            _of_kind(value, str, "a piece of a tool call is", "text")
    index = piece.get("index")
    named = {"id": text_or_none(piece.get("id")), "function": function}
    return {**piece, **named, "index": index if isinstance(index, int) else 0}


# Responses


def response_in(event: Message) -> Message:
    """The response in an event of a stream."""
    return dict(_of_kind(event.get("response"), dict, "an event's response is", "an object"))


def text_in(event: Message) -> str:
    """The text that an event adds."""
    return str(_of_kind(event.get("delta"), str, "a piece of text is", "text"))


def items_in(response: Message) -> list[object]:
    """The output of a response, unchecked."""
    output = response.get("output")
    return list(_of_kind(output, list, "the response's output is", "a list"))


def checked_item(item: object) -> Item:
    """An item of a response: of a known shape where its type is known."""
    item = _of_kind(item, dict, "an item of the response is", "an object")
    kind = _of_kind(item.get("type"), str, "an item's type is", "text")
    if kind == "message":
        content = _of_kind(item.get("content"), list, "a message's content is", "a list")
        for part in content:
            _of_kind(part, dict, "a part of a message is", "an object")
    elif kind == "function_call":
        return {**item, "name": _name_in(item), **_said(item, "arguments")}
    elif kind == "custom_tool_call":
        return {**item, "name": _name_in(item), **_said(item, "input")}
    return item


def _said(call: Item, field: str) -> Item:
    return {field: _arguments(call[field])} if field in call else {}


def _name_in(called: Mapping[str, object]) -> str:
    name = text_or_none(called.get("name"))
    if name is None:
        raise ModelBehaviorError("the model made a call without the name of a tool")
    return name


def _arguments(value: object) -> str:
    # Some servers send the object itself, not its JSON.
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else str(_of_kind(value, str, "a call's arguments are", "text"))


def _of_kind(value: object, kind: type[T], what: str, wanted: str) -> T:
    """`value`, which must be of `kind`."""
    if not isinstance(value, kind):
        raise _wrong(what, value, wanted)
    return value


_KINDS: dict[type, str] = {
    type(None): "null",
    bool: "a boolean",
    dict: "an object",
    float: "a number",
    int: "a number",
    list: "a list",
    str: "text",
}


def _wrong(what: str, value: object, wanted: str) -> ModelBehaviorError:
    given = _KINDS.get(type(value), "something else")
    return ModelBehaviorError(f"{what} {given}, not {wanted}")
