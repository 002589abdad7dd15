"""Forms of items at the Conversations API: as they are sent, as they are shown, and whether
two forms are the same item.

The API takes easy forms and gives back full ones, with an id and a status. It refuses some of
its own fields in requests, and reasoning that it can't identify.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from turnlog.convert.responses import NEEDS_ID
from turnlog.items.json import Item, is_writable, writable
from turnlog.items.kinds import kind_of

__all__ = ["are_same", "is_same", "is_storable", "sendable", "shown"]

#: The kinds whose id is part of what they say. All others get a new id with every request.
_KEEPS_ID = NEEDS_ID | {"reasoning"}

#: The id that the SDK gives to items of providers which have none.
_PLACEHOLDER = "__fake_id__"

#: Fields for programs on our side, which the API refuses.
_PRIVATE = frozenset({
    "_agents_tool_description",
    "_agents_tool_title",
    "created_by",
    "parsed_arguments",
    "provider_data",
})  # fmt: skip

#: Fields that calls of the provider need although they are null. Of others, the API shows a null
#: that it doesn't take.
_MAY_BE_NULL = frozenset({"code", "outputs", "result"})

#: What the API adds of itself, or leaves out unless it is asked for.
_INCIDENTAL = frozenset({
    "annotations",
    "created_by",
    "detail",
    "encrypted_content",
    "id",
    "logprobs",
    "status",
})  # fmt: skip

_TEXTS = frozenset({"input_text", "output_text", "reasoning_text", "summary_text", "text"})

#: Kinds of parts of messages that the API shows and doesn't take, and what it takes instead.
_ONLY_SHOWN = {
    "computer_screenshot": "input_image",
    "reasoning_text": "{}_text",
    "summary_text": "{}_text",
    "text": "{}_text",
}


def is_storable(item: Item) -> bool:
    """False for reasoning with neither an id nor its encrypted content, which the API refuses."""
    if kind_of(item) != "reasoning":
        return True
    return bool(item.get("encrypted_content")) or _own_id(item) is not None


def sendable(item: Item) -> Item:
    """`item` as the API takes it: without private fields, and with its id only if it needs it."""
    kept = shown(item)
    return kept if is_writable(kept) else writable(kept)


def shown(item: Item) -> Item:
    """A stored item as any runner can send it to a model."""
    kept = _stripped(item)
    if kind_of(item) == "message" and kept.get("role") == "assistant":
        kept.pop("status", None)  # it belongs to the id, and goes with it
    for name in ("content", "output"):
        if isinstance(kept.get(name), list):
            kept[name] = [_sendable_part(part, item) for part in kept[name]]
    return kept


def _sendable_part(part: Any, item: Item) -> Any:
    """`part` of `item`, without private fields and of a kind that the API takes."""
    if not isinstance(part, dict):
        return part
    kept = {name: value for name, value in part.items() if name not in _PRIVATE}
    if kind_of(item) == "message" and kept.get("type") in _ONLY_SHOWN:
        is_answer = item.get("role") == "assistant"
        kept["type"] = _ONLY_SHOWN[kept["type"]].format("output" if is_answer else "input")
    return kept


def _stripped(item: Item) -> Item:
    kept = {
        name: value
        for name, value in item.items()
        if name not in _PRIVATE and (value is not None or name in _MAY_BE_NULL)
    }
    kept.pop("id", None)
    own = _own_id(item)
    if own is not None and kind_of(item) in _KEEPS_ID:
        kept = {"id": own, **kept}
    return kept


def _own_id(item: Item) -> str | None:
    own = item.get("id")
    return own if isinstance(own, str) and own not in ("", _PLACEHOLDER) else None


def are_same(stored: list[Item], given: list[Item]) -> bool:
    """Whether `stored` is what the API has made of `given`, one by one."""
    return len(stored) == len(given) and all(map(is_same, stored, given))


def is_same(stored: Item, given: Item) -> bool:
    """Whether `stored` is what the API has made of `given`: all that was given is in it.

    Of the kinds that keep their id, it is only the one with this id, or with the same encrypted
    content: two empty thoughts say the same.
    """
    if kind_of(given) == "item_reference":
        return bool(stored.get("id") == given.get("id"))
    if kind_of(given) in _KEEPS_ID and not _have_same_identity(stored, given):
        return False
    return _holds(_full(stored), _full(given))


def _have_same_identity(stored: Item, given: Item) -> bool:
    own, sealed = _own_id(given), given.get("encrypted_content")
    if own is not None and stored.get("id") == own:
        return True
    if sealed and stored.get("encrypted_content"):
        return bool(stored["encrypted_content"] == sealed)
    return own is None


def _full(item: Item) -> Item:
    """`item` in the full form: with a type, and with its text as a part."""
    full: Item = {"type": kind_of(item), **item}
    for name in ("content", "output"):
        if isinstance(full.get(name), str):
            full[name] = [{"type": "text", "text": full[name]}]
    return {name: value for name, value in full.items() if name not in _PRIVATE}


def _holds(stored: Any, given: Any) -> bool:
    if isinstance(given, Mapping):
        return isinstance(stored, Mapping) and _holds_fields(stored, given)
    if isinstance(given, list):
        return (
            isinstance(stored, list)
            and len(stored) == len(given)
            and all(map(_holds, stored, given))
        )
    return bool(stored == given)


def _holds_fields(stored: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    return all(
        name in _INCIDENTAL
        or _is_left_out(stored, name)
        or _holds(_field(stored, name), _field(given, name))
        for name in _names(given)
    )


def _names(fields: Mapping[str, Any]) -> Iterable[str]:
    return (name for name, value in fields.items() if value is not None)


def _is_left_out(stored: Mapping[str, Any], name: str) -> bool:
    """Whether the API may have stored the field without giving it back."""
    return name == "image_url" and stored.get(name) is None


def _field(fields: Mapping[str, Any], name: str) -> Any:
    value = fields.get(name)
    return "text" if name == "type" and value in _TEXTS else value
