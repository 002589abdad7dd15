"""The messages of Chat Completions as items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from turnlog.convert.chat_parts import CHAT, item_content
from turnlog.convert.shapes import Message, left_out, new_call_id
from turnlog.items.json import Item
from turnlog.items.kinds import OUTPUT_OF
from turnlog.items.text import joined_text, parts_of, refusal_in

__all__ = ["items_from_chat"]


def items_from_chat(
    messages: Iterable[Mapping[str, object]],
    *,
    model: str = "",
    new_id: Callable[[], str] = new_call_id,
) -> list[Item]:
    """`messages` as items, in order; a completion's message is such a message too.

    model: who said what the assistant says here; noted on what only that model wants back.
    new_id: names calls that came without a name.

    The items have no id: ids name what the Responses API stores, and it has stored none of
    these.
    """
    reader = _Reader(model, new_id)
    return [item for message in messages for item in reader.read(dict(message))]


class _Reader:
    def __init__(self, model: str, new_id: Callable[[], str]) -> None:
        self._model = model
        self._new_id = new_id
        # Calls whose outputs have not come, the newest message's first: the id that the call
        # came with, and what its output needs.
        self._waiting: list[tuple[str, Item]] = []

    def read(self, message: Message) -> Iterator[Item]:
        match message.get("role"):
            case "assistant":
                yield from self._assistant(message)
            case "tool":
                yield self._output(message)
            case "user" | "system" | "developer" as role:
                yield {"role": role, "content": item_content(message.get("content"))}
            case _:
                left_out("message", CHAT)

    def _assistant(self, message: Message) -> Iterator[Item]:
        yield from self._reasoning(message)
        parts = list(_said(message))
        calls = message.get("tool_calls") or []
        if parts or not calls:
            yield {"type": "message", "role": "assistant", "status": "completed", "content": parts}
        items = [self._call(call) for call in calls]
        self._waiting[:0] = [
            (_given_id(call), {"type": OUTPUT_OF[item["type"]], "call_id": item["call_id"]})
            for call, item in zip(calls, items, strict=True)
        ]
        yield from items

    def _reasoning(self, message: Message) -> Iterator[Item]:
        for field in ("reasoning_content", "reasoning"):
            text = message.get(field)
            if isinstance(text, str) and text:
                data = {"model": self._model, "reasoning_field": field}
                summary = [{"type": "summary_text", "text": text}]
                yield {"type": "reasoning", "summary": summary, "provider_data": data}
                return

    def _call(self, call: Message) -> Item:
        call_id = _given_id(call) or self._new_id()
        if call.get("type") == "custom":
            custom = call["custom"]
            called = {"name": custom["name"], "input": custom["input"]}
            return {"type": "custom_tool_call", "call_id": call_id, **called}
        function = call["function"]
        return {
            "type": "function_call",
            "call_id": call_id,
            "name": function["name"],
            "arguments": function.get("arguments") or "{}",
            "status": "completed",
            **self._signature(call),
        }

    def _signature(self, call: Message) -> Item:
        match call.get("extra_content"):
            case {"google": {"thought_signature": str(signature)}}:
                data = {"model": self._model, "thought_signature": signature}
                return {"provider_data": data}
        return {}

    def _output(self, message: Message) -> Item:
        content = message.get("content")
        output = content if isinstance(content, str) else item_content(content)
        return {**self._called(message), "output": output}

    def _called(self, message: Message) -> Item:
        """What names the call that an output belongs to: the first of its id that waits."""
        given = _given_id(message, "tool_call_id")
        for place, (call_id, names) in enumerate(self._waiting):
            if call_id == given:
                del self._waiting[place]
                return names
        return {"type": "function_call_output", "call_id": given}


def _given_id(message: Message, field: str = "id") -> str:
    given = message.get(field)
    return given if isinstance(given, str) else ""


def _said(message: Message) -> Iterator[Item]:
    content = message.get("content")
    text = joined_text(content) or _transcript(message)
    refusal = message.get("refusal") or refusal_in(content)
    # An answer of no words is one, unless it is a refusal or a call.
    if text or (content == "" and not refusal and not message.get("tool_calls")):
        yield {"type": "output_text", "text": text, "annotations": _annotations(message)}
    if refusal:
        yield {"type": "refusal", "refusal": refusal}


def _transcript(message: Message) -> str:
    audio = message.get("audio")
    return str(audio.get("transcript") or "") if isinstance(audio, dict) else ""


def _annotations(message: Message) -> list[Item]:
    """Citations, which chat nests one level deeper than items do."""
    return [
        {"type": "url_citation", **annotation["url_citation"]}
        for annotation in parts_of(message.get("annotations"))
        if isinstance(annotation.get("url_citation"), dict)
    ]
