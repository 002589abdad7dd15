"""Tools in items: the type of an item, the name of its tool, and how often tools were used.

The names and the counts are those of the OpenAI Agents SDK's `AdvancedSQLiteSession`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from turnlog.items.json import Item

__all__ = ["tool_counts", "tool_name", "type_name"]

#: Calls that have no name of their own.
_NAMELESS = {
    "apply_patch_call",
    "code_interpreter_call",
    "computer_call",
    "file_search_call",
    "shell_call",
    "web_search_call",
}
_ON_MCP_SERVERS = {"mcp_approval_request", "mcp_call"}
_SEARCH_CALL, _SEARCH_OUTPUT = "tool_search_call", "tool_search_output"

#: Items that count as one use of a tool.
_USES = {
    *_NAMELESS,
    *_ON_MCP_SERVERS,
    _SEARCH_CALL,
    "custom_tool_call",
    "function_call",
    "tool_call",
}


def type_name(item: Item) -> str:
    """The role of a user's or an assistant's message, else the type, else "other"."""
    role = item.get("role")
    if role in ("user", "assistant"):
        return str(role)
    return str(item.get("type") or "other")


def tool_name(item: Item) -> str | None:
    """The name of the tool that `item` calls or answers for; None if it has none."""
    kind = str(item.get("type"))
    if kind in _NAMELESS:
        return kind
    if kind in (_SEARCH_CALL, _SEARCH_OUTPUT):
        return "tool_search"
    if kind in _ON_MCP_SERVERS and "server_label" in item:
        return _joined(item.get("server_label"), item.get("name"))
    name, namespace = item.get("name"), item.get("namespace")
    # A tool that is loaded late stands alone in a namespace of the same name.
    return _joined(None if namespace == name else namespace, name) if name else None


def tool_counts(items: Iterable[Item]) -> list[tuple[str | None, int]]:
    """Counts of the uses of each tool in one turn, by name.

    The output of a tool search counts if the turn has no call of one.
    """
    turn = [(type_name(item), tool_name(item)) for item in items]
    uses = [name for kind, name in turn if kind in _USES]
    if all(kind != _SEARCH_CALL for kind, _ in turn):
        uses += [name for kind, name in turn if kind == _SEARCH_OUTPUT]
    return sorted(Counter(uses).items(), key=lambda use: use[0] or "")


def _joined(place: object, name: object) -> str | None:
    return ".".join(str(part) for part in (place, name) if part) or None
