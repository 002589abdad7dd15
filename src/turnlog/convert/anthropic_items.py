"""Anthropic responses: the content blocks of an answer as items."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby

from turnlog.convert.anthropic_parts import ANTHROPIC
from turnlog.convert.shapes import Message, left_out, plain
from turnlog.items.json import Item, TResponseInputItem

__all__ = ["items_from_anthropic"]

_THINKING = {"thinking", "redacted_thinking"}


def items_from_anthropic(content: Iterable[object]) -> list[TResponseInputItem]:
    """The content blocks of a response as items, in order, without ids.

    content: ``response.content``, or the same blocks as dicts.

    Thinking becomes reasoning that contains the signed blocks, which Anthropic demands back
    unchanged in front of a call.
    """
    items: list[Item] = []
    for kind, group in groupby((plain(block, "blocks") for block in content), key=_kind):
        blocks = list(group)
        match kind:
            case "text":
                items.append(_message(blocks))
            case "thinking":
                items.append(_reasoning(blocks))
            case "tool_use":
                items += map(_call, blocks)
            case _:
                left_out(kind, ANTHROPIC)
    return items


def _kind(block: Message) -> object:
    return "thinking" if block.get("type") in _THINKING else block.get("type")


def _message(blocks: list[Message]) -> Item:
    parts = [{"type": "output_text", "text": b["text"], "annotations": []} for b in blocks]
    return {"type": "message", "role": "assistant", "status": "completed", "content": parts}


def _reasoning(blocks: list[Message]) -> Item:
    thoughts = [block["thinking"] for block in blocks if block.get("thinking")]
    summary = [{"type": "summary_text", "text": thought} for thought in thoughts]
    data = {"thinking_blocks": blocks}
    return {"type": "reasoning", "summary": summary, "provider_data": data}


def _call(block: Message) -> Item:
    return {
        "type": "function_call",
        "call_id": block["id"],
        "name": block["name"],
        "arguments": json.dumps(block.get("input") or {}, ensure_ascii=False),
        "status": "completed",
    }
