"""Rules of Anthropic's Messages API for `messages`, from its documentation."""

import json

from tests.providers.strict_rules import check_call, check_ids, check_sendable
from turnlog.items.json import Item

__all__ = ["check_anthropic"]

_BLOCKS = {
    "user": {"text", "image", "document", "tool_result"},
    "assistant": {"text", "tool_use", "thinking", "redacted_thinking"},
}
_SOURCES = {"base64": {"type", "media_type", "data"}, "url": {"type", "url"}}


def check_anthropic(messages: list[Item]) -> None:
    """Assert that the API would accept `messages`."""
    check_sendable(messages)
    blocks = [block for message in messages for block in message["content"]]
    check_ids(block["id"] for block in blocks if block["type"] == "tool_use")
    assert not messages or messages[0]["role"] == "user", "a user speaks first"
    waiting: set[str] = set()
    for place, message in enumerate(messages):
        role, content = message["role"], message["content"]
        assert role in _BLOCKS
        assert place == 0 or messages[place - 1]["role"] != role, "roles take turns"
        assert content, "a message says something"
        for block in content:
            _check_block(block, role)
        results = [b["tool_use_id"] for b in content if b["type"] == "tool_result"]
        assert sorted(results) == sorted(waiting), "every use has its result right behind it"
        kinds = [block["type"] for block in content]
        assert kinds[: len(results)] == ["tool_result"] * len(results), "results come first"
        waiting = {block["id"] for block in content if block["type"] == "tool_use"}
    assert not waiting, "every use has its result"


def _check_block(block: Item, role: str) -> None:
    assert block["type"] in _BLOCKS[role]
    match block["type"]:
        case "text":
            assert block["text"].strip(), "text says something"
        case "image" | "document":
            source = block["source"]
            assert set(source) == _SOURCES[source["type"]]
        case "tool_use":
            check_call(block["name"], json.dumps(block["input"]))
        case "tool_result":
            for inner in block["content"] if isinstance(block["content"], list) else ():
                _check_block(inner, "user")
