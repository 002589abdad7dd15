"""Items as input of the Responses API, whichever provider they came from."""

from __future__ import annotations

from collections.abc import Iterable

from turnlog.agents.convert.chat_parts import item_part
from turnlog.agents.convert.shapes import kind_of, parts_of, portable_id, text_of
from turnlog.items import Item

__all__ = ["responses_input"]

# An id names what the provider stored. Sent along, it makes the provider look the item up
# and refuse it if it isn't there; without, the item stands for itself. Only these kinds are
# incomplete without: their type requires the id, or other items point to it.
_NEEDS_ID = frozenset({
    "code_interpreter_call",
    "computer_call",
    "file_search_call",
    "image_generation_call",
    "item_reference",
    "local_shell_call",
    "local_shell_call_output",
    "mcp_approval_request",
    "mcp_call",
    "mcp_list_tools",
    "program",
    "program_output",
    "web_search_call",
})  # fmt: skip

# How far these had come is the provider's to note, and goes with the id.
_WITHOUT_STATUS = frozenset({
    "custom_tool_call",
    "custom_tool_call_output",
    "function_call",
    "function_call_output",
    "message",
    "reasoning",
})  # fmt: skip

# What is in an output or in a stored item and is refused in an input.
_NOT_FOR_INPUT = frozenset({"created_by", "parsed_arguments", "provider_data"})


def responses_input(items: Iterable[Item], *, reasoning: bool = True) -> list[Item]:
    """`items` as the Responses API takes them, none pointing to what a provider may not have.

    reasoning: False leaves the reasoning out, for a provider that can't open it.

    Every item goes whole and without its id. Reasoning goes only in the encrypted form that
    the API gave out: it has no other use for it. Nothing is repaired.
    """
    shown = (item for item in items if kind_of(item) != "reasoning" or _opens(item, reasoning))
    return [_portable(item) for item in shown]


def _opens(item: Item, reasoning: bool) -> bool:
    return reasoning and bool(item.get("encrypted_content")) and not item.get("provider_data")


def _portable(item: Item) -> Item:
    kind = kind_of(item)
    kept = {key: item[key] for key in item if key not in _NOT_FOR_INPUT}
    if kind not in _NEEDS_ID:
        kept.pop("id", None)
        kept = {key: value for key, value in kept.items() if value is not None}
    if kind in _WITHOUT_STATUS:
        kept.pop("status", None)
    if isinstance(kept.get("call_id"), str):
        kept["call_id"] = portable_id(kept["call_id"])
    match kind:
        case "message":
            kept["content"] = _content(item.get("role"), item.get("content"))
        case "reasoning":
            # What is readable of it is for people; beside the encrypted form it is refused.
            kept.pop("content", None)
            kept.setdefault("summary", [])
    return kept


def _content(role: object, content: object) -> object:
    if isinstance(content, str):
        return content
    form = _said if role == "assistant" else item_part
    return [form(part) for part in parts_of(content)]


def _said(part: Item) -> Item:
    text = text_of(part)
    if text is None:
        return part
    return {"annotations": [], **part, "type": "output_text", "text": text}
