"""Responses input: items from any provider as input of the Responses API."""

from __future__ import annotations

from collections.abc import Iterable

from turnlog.convert.chat_parts import item_part
from turnlog.convert.shapes import NOT_SHOWN, left_out, portable_id
from turnlog.items.json import Item, TResponseInputItem
from turnlog.items.kinds import kind_of
from turnlog.items.repair import repair
from turnlog.items.text import parts_of, text_of

__all__ = ["NEEDS_ID", "responses_input"]

#: An id is the name under which the provider stored an item. An item with an id is looked up
#: there, and refused if it isn't found; one without an id is used as it is. Only these kinds
#: need theirs: the type requires the id, or other items refer to it.
NEEDS_ID = frozenset({
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

# The status of these belongs to the stored item and is removed together with the id.
_WITHOUT_STATUS = frozenset({
    "custom_tool_call",
    "custom_tool_call_output",
    "function_call",
    "function_call_output",
    "message",
    "reasoning",
})  # fmt: skip

_RESPONSES = "Responses"
_ROLES = ("user", "assistant", "system", "developer")
_OUTPUT_TYPES = ("output_text", "refusal")

# Fields of outputs or stored items that the API refuses in an input.
_NOT_FOR_INPUT = frozenset({"created_by", "parsed_arguments", "provider_data"})


def responses_input(items: Iterable[Item], *, reasoning: bool = True) -> list[TResponseInputItem]:
    """`items` as the Responses API takes them, without references to what a provider stored.

    reasoning: False leaves the reasoning out, for a provider that can't decrypt it.

    Items are sent whole and without their ids. Reasoning is sent only in the encrypted form
    that the API made, the only one that it accepts. Items are repaired by
    `turnlog.items.repair`, so the calls of outputs have to be among them.
    """
    return [_portable(item) for item in repair(items) if _has_form(item, reasoning=reasoning)]


def _has_form(item: Item, *, reasoning: bool) -> bool:
    match kind_of(item):
        case "message":
            if item.get("role") in _ROLES and isinstance(item.get("type", "message"), str):
                return True
            left_out("message", _RESPONSES)
            return False
        case "reasoning":
            sealed = isinstance(item.get("encrypted_content"), str) and item["encrypted_content"]
            return reasoning and bool(sealed) and not item.get("provider_data")
    return True


def _portable(item: Item) -> Item:
    kind = kind_of(item)
    kept = {key: item[key] for key in item if key not in _NOT_FOR_INPUT}
    if kind not in NEEDS_ID:
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
            # Readable reasoning is for people; beside the encrypted form the API refuses it.
            kept.pop("content", None)
            kept["summary"] = parts_of(kept.get("summary"))
        case "function_call_output" | "custom_tool_call_output":
            kept["output"] = _content("user", kept["output"])
    return kept


def _content(role: object, content: object) -> object:
    if isinstance(content, str):
        return content
    if role == "assistant":
        parts = [
            part for part in map(_output_part, parts_of(content)) if part["type"] in _OUTPUT_TYPES
        ]
        return parts or [_output_part({"type": "output_text", "text": NOT_SHOWN})]
    accepted = [part for part in map(_input_part, parts_of(content)) if _is_accepted(part, role)]
    return accepted or NOT_SHOWN


def _input_part(part: Item) -> Item:
    text = text_of(part)
    return item_part(part) if text is None else {**part, "type": "input_text", "text": text}


def _is_accepted(part: Item, role: object) -> bool:
    """Whether the API accepts such a part: by the beginning of its type, for later types too."""
    kind = str(part.get("type"))
    if kind == "input_text" or (role == "user" and kind.startswith("input_")):
        return True
    left_out(part.get("type"), _RESPONSES)
    return False


def _output_part(part: Item) -> Item:
    text = text_of(part)
    if text is None:
        return {**part, "type": str(part.get("type"))}
    return {"annotations": [], **part, "type": "output_text", "text": text}
