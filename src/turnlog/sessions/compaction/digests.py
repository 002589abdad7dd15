"""Digests: by which a stored item is recognised among those that a model was shown."""

from __future__ import annotations

import hashlib
import json

from turnlog.items.json import Item

__all__ = ["digest_of", "sendable"]

#: Fields that the SDK adds to items for its own use; the API refuses them.
_NOT_SENT = ("_agents_tool_description", "_agents_tool_title", "created_by")


def sendable(item: Item) -> Item:
    """`item` without the fields that are no part of the API."""
    return {name: value for name, value in item.items() if name not in _NOT_SENT}


def digest_of(item: Item, *, ignore_ids: bool = False) -> str | None:
    """The digest of `item`, equal to the one that the SDK's Runner makes; None if it has none."""
    fields = sendable(item)
    if fields.get("role") == "assistant":
        if isinstance(fields.get("content"), str):
            fields["content"] = [{"type": "output_text", "text": fields["content"]}]
        if fields.get("status") in (None, "completed"):
            fields.pop("status", None)
    if ignore_ids:
        fields.pop("id", None)
    try:
        text = json.dumps(fields, sort_keys=True, default=str)
    except (ValueError, TypeError, RecursionError):
        return None
    return hashlib.sha256(text.encode()).hexdigest()
