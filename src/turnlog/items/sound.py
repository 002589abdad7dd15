"""Single items as every provider takes them. The log stays as it was.

A log may hold what a request may not: arguments that the token limit cut off, answers without
text, half a surrogate pair. Providers refuse such a request, and would refuse every later
one of the conversation. What is shown instead:

- arguments that are not a JSON object: the object ``{"arguments": …}`` with the text
- the name of a tool that providers refuse: ``_`` for each character but letters, digits, ``_``
  and ``-``
- an output that is neither text nor parts: its JSON
- an answer without text, and parts of a message without text: nothing
- a user's message without text: the text `SILENCE`, so that the turn keeps its beginning
- text that is not Unicode: U+FFFD for each lone surrogate
- numbers that are not finite: null
- objects and lists that are nested deeper than 250 levels: "…"
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable
from contextlib import suppress

from turnlog.items.json import Item, is_object, is_writable, parsed, writable
from turnlog.items.kinds import kind_of

__all__ = ["SILENCE", "are_plain", "each_sound"]

#: The text that a model is shown for a user's message without text.
SILENCE = "(a message without text)"

#: The name that a model is shown for a tool whose name has no allowed character.
_UNNAMED = "unnamed"

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")

# Parts that have nothing but their text.
_PLAIN_TEXTS = ("input_text", "output_text", "text")
_TEXTS = (*_PLAIN_TEXTS, "refusal")


def are_plain(items: list[Item]) -> bool:
    """Whether a quick look shows that all `items` are messages that need no change.

    Most histories are of that kind. One loop without calls, because every view pays for it.
    """
    for item in items:
        content = item.get("content")
        if type(content) is list and len(content) == 1 and type(content[0]) is dict:
            [part] = content
            content = part.get("text") if part.get("type") in _PLAIN_TEXTS else None
        if (
            type(content) is not str
            or not content
            or content.isspace()
            or item.get("type", "message") != "message"
        ):
            return False
    return is_writable(items)


def each_sound(items: list[Item]) -> list[Item | None]:
    """Each of `items` as a request can hold it, None for those that are left out.

    Items that need no change are the same objects.
    """
    if not is_writable(items):
        items = [item if is_writable(item) else writable(item) for item in items]
    return [_as_sent(item) for item in items]


def _as_sent(item: Item) -> Item | None:
    change = _CHANGES.get(kind_of(item))
    return item if change is None else change(item)


def _message(item: Item) -> Item | None:
    content = item.get("content")
    shown = _parts(content) if isinstance(content, list) else content
    if shown and not (isinstance(shown, str) and shown.isspace()):
        return item if shown is content else {**item, "content": shown}
    match item.get("role"):
        case "user":
            return {**item, "content": SILENCE}
        case "assistant" | "system" | "developer":
            return None
    return item


def _parts(content: list[object]) -> list[object]:
    """`content` without parts that have no text; the same object if all have some."""
    kept = [part for part in map(_part, content) if part is not None]
    same = len(kept) == len(content) and all(map(operator.is_, kept, content))
    return content if same else kept


def _part(part: object) -> object:
    if isinstance(part, str):
        part = {"type": "text", "text": part}
    if not isinstance(part, dict) or part.get("type") not in _TEXTS:
        return part if isinstance(part, dict) else None
    field = "refusal" if part["type"] == "refusal" else "text"
    text = part.get(field)
    if not isinstance(text, str):
        return None if text is None else {**part, field: str(text)}
    return part if text and not text.isspace() else None


def _function_call(item: Item) -> Item:
    arguments = item.get("arguments")
    if not isinstance(arguments, str) or not is_object(arguments):
        item = _with(item, "arguments", _object(arguments))
    return _with(item, "name", _name(item.get("name")))


def _custom_call(item: Item) -> Item:
    item = _with(item, "input", _text(item.get("input")))
    return _with(item, "name", _name(item.get("name")))


def _output(item: Item) -> Item:
    output = item.get("output")
    if isinstance(output, list) and output and all(map(_is_part, output)):
        return item
    return _with(item, "output", _text(output))


def _with(item: Item, field: str, value: str) -> Item:
    return item if item.get(field) == value else {**item, field: value}


def _object(arguments: object) -> str:
    """Arguments that are not a JSON object, as one."""
    if arguments is None or (isinstance(arguments, str) and not arguments.strip()):
        return "{}"
    given = arguments
    if isinstance(arguments, str):
        with suppress(ValueError):  # what is not JSON stays text
            given = writable(parsed(arguments.encode()))
    return _json(given if isinstance(given, dict) else {"arguments": given})


def _name(name: object) -> str:
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    return (_NOT_IN_NAMES.sub("_", name)[:64] if isinstance(name, str) else "") or _UNNAMED


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value in (None, []) else _json(value)


def _is_part(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("type"), str)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


_CHANGES: dict[str, Callable[[Item], Item | None]] = {
    "message": _message,
    "function_call": _function_call,
    "function_call_output": _output,
    "custom_tool_call": _custom_call,
    "custom_tool_call_output": _output,
}
