"""Rules for every view: whether all providers would accept what a model is shown."""

from tests.providers.anthropic_rules import check_anthropic
from tests.providers.openai_rules import check_chat, check_items
from turnlog.convert import anthropic_messages, chat_messages, responses_input
from turnlog.items.json import Item

__all__ = ["PAIRS", "accepted", "accepted_everywhere"]

PAIRS = [
    ("function_call", "function_call_output"),
    ("custom_tool_call", "custom_tool_call_output"),
    ("computer_call", "computer_call_output"),
    ("local_shell_call", "local_shell_call_output"),
    ("shell_call", "shell_call_output"),
    ("apply_patch_call", "apply_patch_call_output"),
]


def accepted(items: list[Item]) -> None:
    """Fail unless every call has a unique id and one output after it, and reasoning is followed by
    what it led to.
    """
    open_calls: list[tuple[str, str]] = []
    names: set[str] = set()
    answers = {answer: kind for kind, answer in PAIRS}
    for place, item in enumerate(items):
        kind = item.get("type", "message")
        following = items[place + 1] if place + 1 < len(items) else {"role": "user"}
        if item.get("role") == "user":
            assert not open_calls, "a call is open when the user speaks"
        if kind == "reasoning":
            assert following.get("role") != "user", "reasoning leads nowhere"
            assert following.get("type") not in answers, "reasoning before an output"
        if kind in dict(PAIRS):
            name = (kind, item["call_id"])
            assert item["call_id"] not in names, "an id names two calls"
            names.add(item["call_id"])
            open_calls.append(name)
        if kind in answers:
            open_calls.remove((answers[kind], item.get("call_id") or item["id"]))
    assert not open_calls, "a call is open at the end"


def accepted_everywhere(items: list[Item]) -> None:
    """Fail unless each of the APIs would accept `items`, as they are and as we send them."""
    accepted(items)
    check_items(items)
    check_items(responses_input(items))
    check_chat(chat_messages(items))
    check_anthropic(anthropic_messages(items).messages)
