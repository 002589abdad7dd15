"""Anthropic messages: items as input of Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from turnlog.convert.anthropic_parts import ANTHROPIC, block
from turnlog.convert.shapes import NOT_SHOWN, Message, Sent, call_id_of, left_out, provider_data_of
from turnlog.items.json import Item, decode
from turnlog.items.kinds import kind_of
from turnlog.items.repair import repair
from turnlog.items.text import joined_text, parts_of

__all__ = ["AnthropicView", "anthropic_messages"]

# The first message must be a user's, even if the assistant spoke first.
_BEFORE = "(The conversation begins with the assistant.)"


class AnthropicView(NamedTuple):
    """The arguments `system` and `messages` of `client.messages.create`."""

    system: str
    messages: list[Sent]


def anthropic_messages(items: Iterable[Item], *, instructions: str | None = None) -> AnthropicView:
    """`items` as a system text, and messages of user and assistant in alternation.

    instructions: the beginning of the system text. System and developer messages follow
        there, from any place in the history.

    Calls and their outputs become tool_use and tool_result blocks. Reasoning is sent only as
    the signed blocks that Anthropic made. Hosted tools, references and compaction are left
    out. Any items make valid messages: they are repaired by `turnlog.items.repair`, and a
    user's message is put in front if there is none.
    """
    writer = _Writer()
    if instructions:
        writer.system.append(instructions)
    for item in repair(items):
        writer.write(item)
    messages = writer.messages
    if messages and messages[0]["role"] != "user":
        messages = [{"role": "user", "content": [_text(_BEFORE)]}, *messages]
    return AnthropicView("\n\n".join(writer.system), messages)


class _Writer:
    """Writes blocks; neighbours of the same role become one message."""

    def __init__(self) -> None:
        self.system: list[str] = []
        self.messages: list[Message] = []
        self._writers: dict[str, Callable[[Item], None]] = {
            "message": self._message,
            "reasoning": self._reasoning,
            "function_call": self._call,
            "custom_tool_call": self._call,
            "function_call_output": self._output,
            "custom_tool_call_output": self._output,
        }

    def write(self, item: Item) -> None:
        writer = self._writers.get(kind_of(item))
        if writer is None:
            left_out(kind_of(item), ANTHROPIC)
        else:
            writer(item)

    def _message(self, item: Item) -> None:
        content = item.get("content")
        match item.get("role"):
            case "user":
                self._put("user", _blocks(content) or [_text(NOT_SHOWN)])
            case "assistant":
                texts = [block for block in _blocks(content) if block["type"] == "text"]
                self._put("assistant", texts or [_text(NOT_SHOWN)])
            case "system" | "developer":
                self.system.append(joined_text(content, "\n") or NOT_SHOWN)
            case _:
                left_out("message", ANTHROPIC)

    def _call(self, item: Item) -> None:
        use = {"type": "tool_use", "id": call_id_of(item), "name": item["name"]}
        self._put("assistant", [{**use, "input": _arguments(item)}])

    def _output(self, item: Item) -> None:
        result = {"type": "tool_result", "tool_use_id": call_id_of(item)}
        output = item["output"]
        self._put("user", [{**result, "content": output if output == "" else _blocks(output)}])

    def _reasoning(self, item: Item) -> None:
        self._put("assistant", parts_of(provider_data_of(item).get("thinking_blocks")))

    def _put(self, role: str, blocks: list[Message]) -> None:
        if not blocks:
            return
        if not self.messages or self.messages[-1]["role"] != role:
            self.messages.append({"role": role, "content": []})
        content = self.messages[-1]["content"]
        if blocks[0].get("type") == "tool_result":
            # In a message, results must come before all other blocks.
            at = sum(block.get("type") == "tool_result" for block in content)
            content[at:at] = blocks
        else:
            content += blocks


def _blocks(content: object) -> list[Message]:
    found = [block(part) for part in parts_of(content)]
    return [part for part in found if part is not None]


def _text(text: str) -> Message:
    return {"type": "text", "text": text}


def _arguments(call: Item) -> Message:
    """The input of a call, which must be an object."""
    if kind_of(call) == "custom_tool_call":
        return {"input": call["input"]}
    return decode(call["arguments"].encode())
