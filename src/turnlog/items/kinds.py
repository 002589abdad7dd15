"""What kinds of items there are, as far as it matters here."""

from __future__ import annotations

from turnlog.items.json import Item

__all__ = [
    "ANSWERS",
    "CALL_OF",
    "OUTPUT_OF",
    "SAYS_NOTHING",
    "ends_turn",
    "is_answer",
    "is_call",
    "is_note",
    "is_output",
    "is_question",
    "kind_of",
    "name_of",
]

#: The outputs that answer calls, by the type of the call.
OUTPUT_OF = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
    "computer_call": "computer_call_output",
    "local_shell_call": "local_shell_call_output",
    "shell_call": "shell_call_output",
    "apply_patch_call": "apply_patch_call_output",
    "mcp_approval_request": "mcp_approval_response",
}
#: Calls that the provider runs: they hold their outcome, and a turn may end with one.
ANSWERS = {
    "code_interpreter_call",
    "file_search_call",
    "image_generation_call",
    "mcp_call",
    "web_search_call",
}

#: What tells nothing of whether a turn is over.
SAYS_NOTHING = {
    "additional_tools",
    "compaction",
    "compaction_trigger",
    "configuration_update",
    "mcp_list_tools",
    "reasoning",
}

CALL_OF = {output: call for call, output in OUTPUT_OF.items()}


def kind_of(item: Item) -> str:
    """The type of `item`; one that says none is a message."""
    kind = item.get("type")
    return kind if isinstance(kind, str) else "message"


def is_question(item: Item) -> bool:
    """Whether `item` is a user's message, with which a turn begins."""
    return item.get("role") == "user"


def is_note(item: Item) -> bool:
    """Whether `item` is a message to the model by somebody else: a webhook, a developer."""
    return item.get("role") in ("system", "developer")


def ends_turn(item: Item) -> bool | None:
    """Whether a turn that ends with `item` was answered; None if `item` doesn't tell.

    docs/runs.md has the table.
    """
    kind = kind_of(item)
    if is_note(item) or kind in SAYS_NOTHING:
        return None
    return item.get("role") == "assistant" or kind in ANSWERS


def is_answer(item: Item) -> bool:
    """Whether `item` is the model's and asks for no output: what it says, a call that the
    provider has run, or runs.
    """
    return item.get("role") == "assistant" or (
        kind_of(item).endswith("_call") and not is_call(item)
    )


def is_call(item: Item) -> bool:
    """Whether `item` asks for an output that is an item of its own."""
    return kind_of(item) in OUTPUT_OF


def is_output(item: Item) -> bool:
    """Whether `item` is the output of a call."""
    return kind_of(item) in CALL_OF


def name_of(item: Item) -> str | None:
    """What names a call: its output says the same. None if nothing can."""
    match kind_of(item):
        case "mcp_approval_request":
            name = item.get("id")
        case "mcp_approval_response":
            name = item.get("approval_request_id")
        case _:
            name = item.get("call_id", item.get("id"))
    return name if isinstance(name, str) else None
