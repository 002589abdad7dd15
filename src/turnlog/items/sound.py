"""Single items as every provider takes them. The log stays as it was.

A log may hold what a request may not: arguments that the token limit cut off, answers that say
nothing, half a surrogate pair. Providers refuse such a request, and would refuse every later
one of the conversation. What is shown in its place:

- arguments that are not a JSON object: the object ``{"arguments": …}`` with what was said
- the name of a tool that providers refuse: letters, digits, ``_`` and ``-`` in its place
- an output that is neither text nor parts: its JSON
- an answer that says nothing, and parts of a message without text: nothing
- a user's message that says nothing: the text `SILENCE`, so that the turn keeps its beginning
- text that is not Unicode: U+FFFD for each lone surrogate
- numbers that are not finite: null
- what is nested deeper than 250 levels: "…"
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable
from contextlib import suppress

from turnlog.items.json import Item, is_object, is_writable, parsed, writable
from turnlog.items.kinds import kind_of

__all__ = ["SILENCE", "sound"]

#: What a model is shown of a user's message without a word.
SILENCE = "(a message without text)"

#: What a model is shown of a tool's name that has none of the signs that names are made of.
_UNNAMED = "unnamed"

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]")

# Parts that are nothing but their text.
_TEXTS = ("input_text", "output_text", "text", "refusal")


def sound(items: Iterable[Item]) -> list[Item]:
    """`items`, each as a request can hold it; those that need no change are the same objects."""
    given = list(items)
    if not is_writable(given):
        given = [item if is_writable(item) else writable(item) for item in given]
    if all(map(_is_plain, given)):
        return given
    found = [item if _is_plain(item) else _as_sent(item) for item in given]
    return [item for item in found if item is not None]


def _is_plain(item: Item) -> bool:
    """Whether a quick look tells that `item` is a message that needs no change, as most are."""
    content = item.get("content")
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], dict):
        [part] = content
        content = part.get("text") if part.get("type") != "refusal" else None
    return (
        isinstance(content, str)
        and content != ""
        and not content[0].isspace()
        and item.get("type", "message") == "message"
    )


def _as_sent(item: Item) -> Item | None:
    change = _CHANGES.get(kind_of(item))
    return item if change is None else change(item)


def _message(item: Item) -> Item | None:
    content = item.get("content")
    said = _parts(content) if isinstance(content, list) else content
    if said and not (isinstance(said, str) and said.isspace()):
        return item if said is content else {**item, "content": said}
    match item.get("role"):
        case "user":
            return {**item, "content": SILENCE}
        case "assistant" | "system" | "developer":
            return None
    return item


def _parts(content: list[object]) -> list[object]:
    """`content` without parts that say nothing; the same object if there are none."""
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
    said = item.get("arguments")
    arguments = said if isinstance(said, str) and is_object(said) else _object(said)
    return _changed(item, name=_name(item.get("name")), arguments=arguments)


def _custom_call(item: Item) -> Item:
    return _changed(item, name=_name(item.get("name")), input=_text(item.get("input")))


def _output(item: Item) -> Item:
    output = item.get("output")
    if isinstance(output, list) and output and all(map(_is_part, output)):
        return item
    return _changed(item, output=_text(output))


def _changed(item: Item, **fields: str) -> Item:
    same = all(item.get(name) == value for name, value in fields.items())
    return item if same else {**item, **fields}


def _object(arguments: object) -> str:
    """Arguments that are not a JSON object as one."""
    if arguments is None or (isinstance(arguments, str) and not arguments.strip()):
        return "{}"
    given = arguments
    if isinstance(arguments, str):
        with suppress(ValueError):  # what is no JSON stays the words that it is
            given = writable(parsed(arguments.encode()))
    return _json(given if isinstance(given, dict) else {"arguments": given})


def _name(name: object) -> str:
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    return (_NO_NAME.sub("_", name)[:64] if isinstance(name, str) else "") or _UNNAMED


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
