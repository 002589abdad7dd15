"""Kinds of items: calls, outputs, answers, questions, notes, and the types of each."""

from __future__ import annotations

from collections.abc import Iterable

from turnlog.items.json import Item

__all__ = [
    "CALL_OF",
    "OUTPUT_OF",
    "SAYS_NOTHING",
    "ends_turn",
    "is_answer",
    "is_call",
    "is_note",
    "is_output",
    "is_provider_summary",
    "is_question",
    "is_sealed",
    "kind_of",
    "name_of",
    "provider_summaries",
]

#: The type of the output that answers a call, by the type of the call.
OUTPUT_OF = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
    "computer_call": "computer_call_output",
    "local_shell_call": "local_shell_call_output",
    "shell_call": "shell_call_output",
    "apply_patch_call": "apply_patch_call_output",
    "mcp_approval_request": "mcp_approval_response",
}
#: The type of the call, by the type of its output.
CALL_OF = {output: call for call, output in OUTPUT_OF.items()}

#: Calls that the provider runs: they contain their result, and a turn may end with one.
_ANSWERS = {
    "code_interpreter_call",
    "file_search_call",
    "image_generation_call",
    "mcp_call",
    "web_search_call",
}

#: Items that don't show whether a turn is over.
SAYS_NOTHING = {
    "additional_tools",
    "compaction",
    "compaction_trigger",
    "configuration_update",
    "mcp_list_tools",
    "reasoning",
}


def kind_of(item: Item) -> str:
    """The type of `item`. Without a type it is a message, or a reference if it has only an id."""
    kind = item.get("type")
    if isinstance(kind, str) and kind:
        return kind
    return "item_reference" if len(item) == 1 and "id" in item else "message"


def is_question(item: Item) -> bool:
    """Whether `item` is a user's message, with which a turn begins."""
    return item.get("role") == "user"


def is_sealed(item: Item) -> bool:
    """Whether `item` was encrypted by an `EncryptedSession` of the SDK, or by ours in its form."""
    return "__enc__" in item


def is_note(item: Item) -> bool:
    """Whether `item` is a message to the model that is not the user's, such as a webhook's."""
    return item.get("role") in ("system", "developer")


def ends_turn(item: Item) -> bool | None:
    """Whether a turn that ends with `item` was answered; None if `item` doesn't show it.

    docs/runs.md has the table.
    """
    kind = kind_of(item)
    if is_note(item) or kind in SAYS_NOTHING:
        return None
    return item.get("role") == "assistant" or kind in _ANSWERS


def is_answer(item: Item) -> bool:
    """Whether `item` is from the model and needs no output: a message, or a call that the
    provider runs.
    """
    return item.get("role") == "assistant" or (
        kind_of(item).endswith("_call") and not is_call(item)
    )


def is_call(item: Item) -> bool:
    """Whether `item` is a call whose output is an item of its own."""
    return kind_of(item) in OUTPUT_OF


def is_output(item: Item) -> bool:
    """Whether `item` is the output of a call."""
    return kind_of(item) in CALL_OF


def is_provider_summary(item: Item) -> bool:
    """Whether `item` is what a provider has made of all that came before, sealed for itself."""
    return item.get("type") == "compaction"


def provider_summaries(items: Iterable[Item]) -> list[int]:
    """The index of each such item in `items`."""
    # Without a call for each item, because every view pays for it.
    return [index for index, item in enumerate(items) if item.get("type") == "compaction"]


def name_of(item: Item) -> str | None:
    """The id that a call shares with its output; None if it has none."""
    match kind_of(item):
        case "mcp_approval_request":
            name = item.get("id")
        case "mcp_approval_response":
            name = item.get("approval_request_id")
        case _:
            name = item.get("call_id", item.get("id"))
    return name if isinstance(name, str) else None
