"""Chat messages: items as input of Chat Completions."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from turnlog.convert.chat_parts import CHAT, chat_content, chat_part
from turnlog.convert.shapes import (
    NOT_SHOWN,
    Message,
    Sent,
    call_id_of,
    left_out,
    provider_data_of,
    summary_of,
)
from turnlog.items.json import Item
from turnlog.items.kinds import kind_of
from turnlog.items.repair import repair
from turnlog.items.text import joined_text, parts_of, refusal_in, text_of

__all__ = ["chat_messages"]


def chat_messages(
    items: Iterable[Item], *, instructions: str | None = None, model: str = ""
) -> list[Sent]:
    """`items` as chat messages, in order.

    instructions: the first message, a system message.
    model: the model that will be asked. Some providers demand data back that is not part of
        Chat Completions (reasoning in front of a tool call, Gemini's signatures). It is sent
        only to the model that it came from.

    An assistant's text and the calls beside it are one message. Hosted tools, references and
    compaction can't be expressed and are left out, and so are pictures and files that only
    their provider can reach. Any items make valid messages: they are repaired by
    `turnlog.items.repair`.
    """
    items = repair(items)
    writer = _Writer(model, _start_of_turn(items))
    if instructions:
        writer.messages.append({"role": "system", "content": instructions})
    for index, item in enumerate(items):
        writer.write(index, item)
    writer.close()
    return writer.messages


def _start_of_turn(items: list[Item]) -> int:
    users = [index for index, item in enumerate(items) if item.get("role") == "user"]
    return users[-1] if users else 0


class _Writer:
    """Writes messages one item at a time; an assistant's message stays open for more."""

    def __init__(self, model: str, turn: int) -> None:
        self.messages: list[Message] = []
        self._model = model
        self._turn = turn  # the index of the item with which the last turn begins
        self._open: Message | None = None
        self._thought: Message = {}  # reasoning that belongs to the next assistant's message
        self._shown: list[Message] = []  # parts of outputs that a tool message can't contain
        self._writers: dict[str, Callable[[Item], None]] = {
            "message": self._message,
            "function_call": self._function_call,
            "custom_tool_call": self._custom_call,
            "function_call_output": self._output,
            "custom_tool_call_output": self._output,
        }

    def write(self, index: int, item: Item) -> None:
        """Write `item` behind the others."""
        kind = kind_of(item)
        if kind == "reasoning":
            self._reasoning(index, item)
        elif kind in self._writers:
            self._writers[kind](item)
        else:
            left_out(kind, CHAT)

    def close(self) -> None:
        """End the open message; the next item begins a new one."""
        opened, self._open = self._open, None
        if opened is not None and "tool_calls" not in opened:
            for field in ("reasoning_content", "reasoning"):
                opened.pop(field, None)  # demanded back only in front of a call
        if self._shown:
            self.messages.append({"role": "user", "content": self._shown})
            self._shown = []

    def _message(self, item: Item) -> None:
        match item.get("role"):
            case "assistant":
                self._add_assistant(item.get("content"))
            case "user" | "system" | "developer" as role:
                self._add_other("user" if role == "user" else "system", item.get("content"))
            case _:
                left_out("message", CHAT)

    def _add_other(self, role: str, content: object) -> None:
        self.close()
        self._thought = {}
        converted = chat_content(content if role == "user" else joined_text(content, "\n"))
        self.messages.append({"role": role, "content": converted or NOT_SHOWN})

    def _add_assistant(self, content: object) -> None:
        refusal = refusal_in(content)
        text = joined_text(content) or ("" if refusal else NOT_SHOWN)
        opened = self._open
        if opened is None or "tool_calls" not in opened:
            self.close()
            opened = self._assistant()
        # Only outputs may follow a message with calls, so later text is put into that message.
        texts = [opened["content"], text] if opened["content"] and text else [text]
        opened["content"] = "\n\n".join(texts) or opened["content"]
        if refusal:
            opened["refusal"] = refusal

    def _function_call(self, item: Item) -> None:
        function = {"name": item["name"], "arguments": item["arguments"]}
        call = {"id": call_id_of(item), "type": "function", "function": function}
        self._add_call({**call, **self._signature(item)})

    def _custom_call(self, item: Item) -> None:
        custom = {"name": item["name"], "input": item["input"]}
        self._add_call({"id": call_id_of(item), "type": "custom", "custom": custom})

    def _add_call(self, call: Message) -> None:
        self._assistant().setdefault("tool_calls", []).append(call)

    def _signature(self, item: Item) -> Message:
        signature = provider_data_of(item).get("thought_signature")
        if not signature or "gemini" not in self._model:
            return {}
        return {"extra_content": {"google": {"thought_signature": signature}}}

    def _output(self, item: Item) -> None:
        shown, self._shown = self._shown, []
        self.close()
        output, call_id = item.get("output"), call_id_of(item)
        content = output if isinstance(output, str) else joined_text(output, "\n")
        media = [part for part in parts_of(output) if text_of(part) is None]
        found = [part for part in map(chat_part, media) if part is not None]
        if found:
            content = content or "The output is shown below."
            shown += [{"type": "text", "text": f"Output of the tool call {call_id}:"}, *found]
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": content})
        self._shown = shown

    def _reasoning(self, index: int, item: Item) -> None:
        data, text = provider_data_of(item), summary_of(item)
        its_own = data.get("model") == self._model != ""
        if its_own and text and index > self._turn:
            field = data.get("reasoning_field")
            self._thought = {"reasoning" if field == "reasoning" else "reasoning_content": text}

    def _assistant(self) -> Message:
        if self._open is None:
            self.close()
            self._open = {"role": "assistant", "content": None}
            self.messages.append(self._open)
        self._open.update(self._thought)
        self._thought = {}
        return self._open
