"""Chat responses: messages of Chat Completions as items."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from turnlog.convert.chat_parts import CHAT, item_content
from turnlog.convert.shapes import Message, left_out, new_call_id, plain
from turnlog.items.json import Item, TResponseInputItem
from turnlog.items.kinds import OUTPUT_OF
from turnlog.items.text import joined_text, parts_of, refusal_in

__all__ = ["items_from_chat"]


def items_from_chat(
    messages: Iterable[object],
    *,
    model: str = "",
    new_id: Callable[[], str] = new_call_id,
) -> list[TResponseInputItem]:
    """`messages` as items, in order; a completion's message is such a message too.

    messages: ``[response.choices[0].message]``, or dicts.
    model: the model that the assistant's messages are from. It is noted in data that only
        that model demands back.
    new_id: makes an id for a call without one.

    The items have no id: an id is the name under which the Responses API has stored an item.
    """
    reader = _Reader(model, new_id)
    return [item for message in messages for item in reader.read(plain(message, "messages"))]


class _Reader:
    def __init__(self, model: str, new_id: Callable[[], str]) -> None:
        self._model = model
        self._new_id = new_id
        # Calls without an output so far, those of the newest message first: the id that the
        # server gave to the call, and the fields by which an output belongs to it.
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
        parts = list(_texts(message))
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
        return {**self._call_fields(message), "output": output}

    def _call_fields(self, message: Message) -> Item:
        """The fields by which an output belongs to its call: the first one with that id."""
        given = _given_id(message, "tool_call_id")
        for index, (call_id, fields) in enumerate(self._waiting):
            if call_id == given:
                del self._waiting[index]
                return fields
        return {"type": "function_call_output", "call_id": given}


def _given_id(message: Message, field: str = "id") -> str:
    given = message.get(field)
    return given if isinstance(given, str) else ""


def _texts(message: Message) -> Iterator[Item]:
    content = message.get("content")
    text = joined_text(content) or _transcript(message)
    refusal = message.get("refusal") or refusal_in(content)
    # An empty text is an answer too, unless there is a refusal or a call.
    if text or (content == "" and not refusal and not message.get("tool_calls")):
        yield {"type": "output_text", "text": text, "annotations": _annotations(message)}
    if refusal:
        yield {"type": "refusal", "refusal": refusal}


def _transcript(message: Message) -> str:
    audio = message.get("audio")
    return str(audio.get("transcript") or "") if isinstance(audio, dict) else ""


def _annotations(message: Message) -> list[Item]:
    """Citations, which are one level deeper in chat messages than in items."""
    return [
        {"type": "url_citation", **annotation["url_citation"]}
        for annotation in parts_of(message.get("annotations"))
        if isinstance(annotation.get("url_citation"), dict)
    ]
