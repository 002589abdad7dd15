"""Tools of the offline model: it calls a tool that the user names with all it needs."""

from __future__ import annotations

import hashlib
import json
import re

from turnlog.agents.models.model import JSONSchema, ToolDefinition
from turnlog.items.json import Item, encode
from turnlog.items.text import parts_of, text_of

__all__ = ["call_asked_for", "outputs_in_words"]

_LEADING = re.compile(
    r"^\W*(?:(?:of|for|in|to|on|at|with|about|tool|please|the|is|from|and)\b\W*)*", re.IGNORECASE
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def call_asked_for(text: str, tools: tuple[ToolDefinition, ...], shown: list[Item]) -> Item | None:
    """A call of the tool that `text` names, such as "use get_weather for Oslo"; None if none.

    A tool is called only if its required arguments are at most one text and some numbers, and
    the words behind its name give all of them.
    """
    for tool in tools:
        named = re.search(rf"\b{_spoken(tool.name)}\b(?P<rest>.*)", text, re.IGNORECASE | re.DOTALL)
        arguments = _arguments(tool.parameters, named["rest"]) if named else None
        if arguments is not None:
            return _call(tool.name, arguments, shown)
    return None


def outputs_in_words(shown: list[Item]) -> str | None:
    """The outputs at the end of `shown` in words; None if it doesn't end with one."""
    names = {item.get("call_id"): item.get("name") for item in shown if "name" in item}
    said: list[str] = []
    for item in reversed(shown):
        if item.get("type") != "function_call_output":
            break
        said.insert(0, f"{names.get(item.get('call_id'))} says: {_text(item.get('output'))}")
    return "\n".join(said) or None


def _spoken(name: str) -> str:
    return r"[\s_-]+".join(map(re.escape, re.split(r"[\s_-]+", name)))


def _arguments(schema: JSONSchema, rest: str) -> Item | None:
    """The required arguments, from the words behind a tool's name; None if one is missing."""
    properties = schema.get("properties", {})
    numbers = iter(_NUMBER.findall(rest))
    text = _LEADING.sub("", rest).strip(" \t\n.?!\"'")
    found: Item = {}
    for name in schema.get("required", ()):
        match properties.get(name, {}):
            case {"type": "string", **more} if text and "enum" not in more:
                found[name], text = text, ""
            case {"type": "integer" | "number" as kind}:
                number = next(numbers, None)
                if number is None:
                    return None
                found[name] = int(float(number)) if kind == "integer" else float(number)
            case _:
                return None
    return found


def _call(name: str, arguments: Item, shown: list[Item]) -> Item:
    digest = hashlib.sha256(b"\n".join(map(encode, shown))).hexdigest()[:24]
    return {
        "id": f"fc_offline_{digest}",
        "type": "function_call",
        "call_id": f"call_offline_{digest}",
        "name": name,
        "arguments": json.dumps(arguments, ensure_ascii=False),
        "status": "completed",
    }


def _text(output: object) -> str:
    texts = [(text_of(part), part.get("type")) for part in parts_of(output)]
    return " ".join(f"[{kind}]" if text is None else text for text, kind in texts)
