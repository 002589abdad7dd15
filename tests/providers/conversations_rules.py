"""Rules of the Conversations API for items and metadata, and the full form of stored items."""

from collections.abc import Callable
from typing import Any, get_args

from openai.types.conversations import ConversationItem
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from tests.providers.openai_published import ITEMS
from tests.providers.openai_rules import Refused
from tests.providers.strict_rules import check_sendable
from turnlog.items.json import Item

__all__ = ["INCLUDED", "Refused", "check_items", "check_metadata", "full", "verbose"]

_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fco",
    "reasoning": "rs",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
}
_OUTPUTS: TypeAdapter[Any] = TypeAdapter(ConversationItem)
#: By kind: the fields of its full form, under the names that they have on the wire.
_FULL: dict[str, dict[str, FieldInfo]] = {
    kind: {each.alias or name: each for name, each in model.model_fields.items()}
    for model in get_args(get_args(ConversationItem)[0])
    for kind in get_args(model.model_fields["type"].annotation)
}
#: What the server adds where it is not given.
_ADDED: dict[str, Item] = {
    "shell_call": {"environment": None},
    "shell_call_output": {"max_output_length": None},
    "tool_search_call": {"execution": "server"},
    "tool_search_output": {"execution": "server"},
}
_ROLES = {"user", "system", "developer", "assistant"}


def check_items(items: list[Item], *, is_strict: bool = True) -> None:
    """Raise `Refused` unless one request may add these.

    is_strict: an answer has a status only beside an id, as the published types say. The SDK sends
        it without.
    """
    check_sendable(items)
    if len(items) > 20:
        raise Refused("Invalid 'items': array too long.", "items", "array_above_max_length")
    for place, item in enumerate(items):
        _check_item(item, f"items[{place}]", is_strict=is_strict)


def _check_item(item: Item, param: str, *, is_strict: bool) -> None:
    kind = item.get("type") or ("message" if "role" in item else "")
    if kind not in ITEMS:
        raise Refused(f"Invalid value: '{kind}'.", f"{param}.type", "invalid_value")
    known, required = ITEMS[kind]
    for name in sorted(item.keys() - known):
        raise Refused(f"Unknown parameter: '{param}.{name}'.", f"{param}.{name}")
    for name in sorted(required - item.keys() - ({"id"} if kind in _PREFIXES else set())):
        raise Refused(f"Missing required parameter: '{param}.{name}'.", f"{param}.{name}")
    own = item.get("id")
    if "id" in item and not (isinstance(own, str) and own and own != "__fake_id__"):
        raise Refused(f"Invalid '{param}.id'.", f"{param}.id", "invalid_value")
    if kind == "reasoning" and not own and not item.get("encrypted_content"):
        raise Refused(f"Invalid item: '{param}'.", param)
    if kind == "message":
        if item["role"] not in _ROLES:
            raise Refused(f"Invalid value: '{item['role']}'.", f"{param}.role")
        if is_strict and item["role"] == "assistant" and "status" in item and not own:
            raise Refused(f"Unknown parameter: '{param}.status'.", f"{param}.status")


def check_metadata(pairs: dict[str, Any]) -> None:
    """Raise `Refused` unless a conversation may have these pairs."""
    if len(pairs) > 16:
        raise Refused("Invalid 'metadata': too many properties.", "metadata")
    for name, value in pairs.items():
        if len(name) > 64 or not isinstance(value, str) or len(value) > 512:
            raise Refused(f"Invalid 'metadata.{name}'.", f"metadata.{name}")


def full(item: Item, number: str) -> Item:
    """The item as it is stored: checked against the type that the client publishes."""
    kind = item.get("type") or "message"
    prefix = _PREFIXES.get(kind, "item")
    stored: Item = {"type": kind, **item}
    # Ids that clients send for messages and calls name nothing here.
    if kind != "reasoning" and kind in _PREFIXES:
        stored.pop("id", None)
    stored.setdefault("id", f"{prefix}_{number}")
    if kind != "reasoning" and "status" in _FULL[kind]:
        stored.setdefault("status", "completed")
    if kind == "message":
        stored["content"] = _parts(item)
    if kind == "shell_call":
        stored["action"] = {"max_output_length": None, "timeout_ms": None, **item["action"]}
    stored = {**_ADDED.get(kind, {}), **stored}
    _OUTPUTS.validate_python(stored)
    return stored


def verbose(item: Item) -> Item:
    """A stored item with all that it may have: who wrote it, and null for what it doesn't have."""
    fields = _FULL[item["type"]]
    more: Item = {name: None for name, each in fields.items() if _may_be_none(each)}
    if "created_by" in fields:
        more["created_by"] = "user_1"
    shown = {**more, **item}
    if item["type"] == "shell_call_output":
        shown["output"] = [{**part, "created_by": "user_1"} for part in item["output"]]
    _OUTPUTS.validate_python(shown)
    return shown


def _may_be_none(field: FieldInfo) -> bool:
    return type(None) in get_args(field.annotation)


def _parts(message: Item) -> list[Item]:
    kind = "output_text" if message["role"] == "assistant" else "input_text"
    content = message["content"]
    if isinstance(content, str):
        content = [{"type": kind, "text": content}]
    return [_part(part) for part in content]


def _part(part: Item) -> Item:
    if part["type"] == "output_text":
        return {"annotations": [], "logprobs": [], **part}
    if part["type"] == "input_image":
        return {"detail": "auto", "file_id": None, **part}
    return part


def _drop(name: str) -> Callable[[Item], None]:
    def drop(item: Item) -> None:
        item.pop(name, None)

    return drop


def _drop_part(kind: str, name: str) -> Callable[[Item], None]:
    def drop(item: Item) -> None:
        for part in item["content"] if item["type"] == "message" else []:
            if part["type"] == kind:
                part.pop(name, None)

    return drop


def _drop_inside(kind: str, field: str, name: str) -> Callable[[Item], None]:
    def drop(item: Item) -> None:
        if item["type"] == kind:
            item[field].pop(name, None)

    return drop


#: What `include` may ask for, and how it is left out otherwise.
INCLUDED: dict[str, Callable[[Item], None]] = {
    "code_interpreter_call.outputs": _drop("outputs"),
    "computer_call_output.output.image_url": _drop_inside(
        "computer_call_output", "output", "image_url"
    ),
    "file_search_call.results": _drop("results"),
    "message.input_image.image_url": _drop_part("input_image", "image_url"),
    "message.output_text.logprobs": _drop_part("output_text", "logprobs"),
    "reasoning.encrypted_content": _drop("encrypted_content"),
    "web_search_call.action.sources": _drop_inside("web_search_call", "action", "sources"),
}
