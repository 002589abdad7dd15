"""Rendering of items for people to read."""

import json
from collections.abc import Iterator

from rich.padding import Padding
from rich.text import Text

from turnlog.cli.text import one_line, plain
from turnlog.items.json import Item, writable

__all__ = ["described", "rendered"]

_STYLES = {"user": "bold cyan", "assistant": "bold green", "system": "bold magenta"}


def rendered(item: Item) -> Iterator[Text | Padding]:
    """A heading, and below it the content of the item, which is never read as markup."""
    heading, body = described(item)
    yield Text(one_line(heading), style=_STYLES.get(heading, "bold yellow"))
    # A Text of its own, so that nothing in it is read as markup.
    yield Padding(Text(plain(body)), (0, 0, 1, 2), expand=False)


def described(item: Item) -> tuple[str, str]:
    """The heading of an item, and its content as text."""
    kind = item.get("type", "message")
    if kind == "message" and "role" in item:
        return str(item["role"]), _text_of(item.get("content"))
    if kind == "reasoning":
        return "reasoning", _text_of(item.get("summary")) or "(not shown by the provider)"
    if kind == "function_call":
        return f"call of {item.get('name')}", str(item.get("arguments", ""))
    if kind == "function_call_output":
        return "output", _text_of(item.get("output"))
    return str(kind), _rest(item)


def _text_of(content: object) -> str:
    """The text of a content, in any of its forms."""
    if isinstance(content, list):
        return "\n".join(map(_part, content))
    return "" if content is None else _part(content)


def _part(part: object) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return _json(part)
    for name in ("text", "refusal"):
        if isinstance(part.get(name), str):
            return str(part[name])
    return f"({part.get('type', 'part')})"


def _rest(item: Item) -> str:
    others = {name: value for name, value in item.items() if name not in {"id", "type"}}
    return _json(others, indent=2)


def _json(value: object, indent: int | None = None) -> str:
    # `writable` cuts nesting that is too deep for `json`, and for any screen.
    return json.dumps(writable(value), ensure_ascii=False, indent=indent)
