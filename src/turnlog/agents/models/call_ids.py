"""Ids of calls, each its own within a response.

An output finds its call by the id. Some servers give none, or the same to all calls of a
response; which output is whose could not be told once they are stored.
"""

from __future__ import annotations

from dataclasses import replace

from turnlog.agents.models.model import ModelResponse
from turnlog.convert.shapes import new_call_id
from turnlog.errors import ModelBehaviorError
from turnlog.items.json import Item
from turnlog.items.kinds import OUTPUT_OF, kind_of

__all__ = ["CallIds", "with_own_ids"]

_NAMED = ("function_call", "custom_tool_call")


class CallIds:
    """The ids of the calls of one response so far."""

    def __init__(self) -> None:
        self._used: set[str] = set()

    def settled(self, item: Item) -> Item:
        """`item`; a call whose id is missing or was used in this response with a new one.

        Raises `ModelBehaviorError` for a call that doesn't say what it calls.
        """
        kind = kind_of(item)
        if kind in _NAMED and not (isinstance(item.get("name"), str) and item["name"]):
            raise ModelBehaviorError("the model called a tool without saying which")
        if kind not in OUTPUT_OF or kind == "mcp_approval_request":
            return item
        call_id = item.get("call_id")
        if not isinstance(call_id, str) or not call_id or call_id in self._used:
            call_id = new_call_id()
        self._used.add(call_id)
        return item if item.get("call_id") == call_id else {**item, "call_id": call_id}


def with_own_ids(response: ModelResponse) -> ModelResponse:
    """`response` with an id of its own for each call, before anything of it is stored."""
    ids = CallIds()
    return replace(response, output=[ids.settled(item) for item in response.output])
