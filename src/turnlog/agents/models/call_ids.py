"""Call ids: made unique within a response before anything of it is stored.

The id links an output to its call. Some servers give no id, or the same one to all calls of a
response, so that nobody could say later which output belongs to which call.
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

    def with_own_id(self, item: Item) -> Item:
        """`item`; with a new id if it is a call whose id is missing or was used before.

        Raises `ModelBehaviorError` for a call without the name of a tool.
        """
        kind = kind_of(item)
        if kind in _NAMED and not (isinstance(item.get("name"), str) and item["name"]):
            raise ModelBehaviorError("the model made a call without the name of a tool")
        if kind not in OUTPUT_OF or kind == "mcp_approval_request":
            return item
        call_id = item.get("call_id")
        if not isinstance(call_id, str) or not call_id or call_id in self._used:
            call_id = new_call_id()
        self._used.add(call_id)
        return item if item.get("call_id") == call_id else {**item, "call_id": call_id}


def with_own_ids(response: ModelResponse) -> ModelResponse:
    """`response`, with an id of its own for each call."""
    ids = CallIds()
    return replace(response, output=[ids.with_own_id(item) for item in response.output])
