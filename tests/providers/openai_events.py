"""Responses of OpenAI's APIs: whole, and as server-sent events with the published names."""

import json
from collections.abc import Iterator
from typing import Any

from turnlog.items.json import Item

__all__ = ["chat_events", "compacted", "completion", "response", "response_events"]

_RESPONSE_USAGE = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 5},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 27,
}
_CHAT_USAGE = {
    "prompt_tokens": 20,
    "prompt_tokens_details": {"cached_tokens": 5},
    "completion_tokens": 7,
    "completion_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 27,
}


def response(output: list[Item], body: dict[str, Any], status: str) -> Item:
    """A response object."""
    error = {"code": "server_error", "message": "The model failed."} if status == "failed" else None
    details = {"reason": "max_output_tokens"} if status == "incomplete" else None
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "error": error,
        "incomplete_details": details,
        "model": body["model"],
        "output": output if status != "in_progress" else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": body.get("tools", []),
        "store": body.get("store", True),
        "usage": None if status in {"failed", "in_progress"} else _RESPONSE_USAGE,
    }


def compacted(output: list[Item]) -> Item:
    """The answer of the compaction endpoint."""
    return {
        "id": "resp_compacted",
        "object": "response.compaction",
        "created_at": 1,
        "output": output,
        "usage": _RESPONSE_USAGE,
    }


def response_events(output: list[Item], body: dict[str, Any], status: str) -> Iterator[str]:
    """The events of a streamed response, numbered."""
    events = _response_events(output, body, status)
    for number, (name, event) in enumerate(events):
        data = {"type": name, "sequence_number": number, **event}
        yield f"event: {name}\ndata: {json.dumps(data)}\n\n"


def _response_events(
    output: list[Item], body: dict[str, Any], status: str
) -> Iterator[tuple[str, Item]]:
    begun = response(output, body, "in_progress")
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for index, item in enumerate(output):
        place = {"output_index": index}
        yield "response.output_item.added", {"item": {**item, **_empty(item)}, **place}
        yield from _inside(item, {"item_id": item.get("id", ""), **place})
        yield "response.output_item.done", {"item": item, **place}
    yield f"response.{status}", {"response": response(output, body, status)}


def _empty(item: Item) -> Item:
    """An item as the stream begins it: without its content."""
    return {
        field: type(item[field])()
        for field in ("content", "arguments", "summary")
        if isinstance(item.get(field), str | list)
    }


def _inside(item: Item, place: Item) -> Iterator[tuple[str, Item]]:
    if item["type"] == "function_call":
        for piece in _pieces(item["arguments"]):
            yield "response.function_call_arguments.delta", {"delta": piece, **place}
        done = {"arguments": item["arguments"], "name": item["name"]}
        yield "response.function_call_arguments.done", {**done, **place}
    for index, part in enumerate(item.get("content", [])):
        yield from _part(part, {**place, "content_index": index})


def _part(part: Item, place: Item) -> Iterator[tuple[str, Item]]:
    field = "text" if part["type"] == "output_text" else "refusal"
    yield "response.content_part.added", {"part": {**part, field: ""}, **place}
    for piece in _pieces(part[field]):
        delta = {"delta": piece, "logprobs": []} if field == "text" else {"delta": piece}
        yield f"response.{part['type']}.delta", {**delta, **place}
    yield f"response.{part['type']}.done", {field: part[field], **place}
    yield "response.content_part.done", {"part": part, **place}


def completion(message: Item, body: dict[str, Any], status: str) -> Item:
    """A chat completion object."""
    choice = {"index": 0, "finish_reason": _reason(message, status), "logprobs": None}
    said = {"role": "assistant", "content": None, "refusal": None, **message}
    return {**_head(body, ""), "choices": [{**choice, "message": said}], "usage": _CHAT_USAGE}


def chat_events(message: Item, body: dict[str, Any], status: str) -> Iterator[str]:
    """The chunks of a streamed completion."""
    options = body.get("stream_options") or {}
    for chunk in _chunks(message, body, status):
        usage = {"usage": None} if options.get("include_usage") else {}
        yield f"data: {json.dumps({**chunk, **usage})}\n\n"
    if options.get("include_usage"):
        last = {**_head(body, ".chunk"), "choices": [], "usage": _CHAT_USAGE}
        yield f"data: {json.dumps(last)}\n\n"
    yield "data: [DONE]\n\n"


def _chunks(message: Item, body: dict[str, Any], status: str) -> Iterator[Item]:
    for delta in _deltas(message):
        yield _chunk(body, delta, None)
    yield _chunk(body, {}, _reason(message, status))


def _deltas(message: Item) -> Iterator[Item]:
    yield {"role": "assistant", "content": ""}
    for field in ("reasoning_content", "content", "refusal"):
        for piece in _pieces(message.get(field) or ""):
            yield {field: piece}
    for index, call in enumerate(message.get("tool_calls", [])):
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        yield {
            "tool_calls": [{**call, "index": index, "function": {"name": name, "arguments": ""}}]
        }
        for piece in _pieces(arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _chunk(body: dict[str, Any], delta: Item, reason: str | None) -> Item:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    return {**_head(body, ".chunk"), "choices": [choice]}


def _head(body: dict[str, Any], kind: str) -> Item:
    name = f"chat.completion{kind}"
    return {"id": "chatcmpl-1", "object": name, "created": 1, "model": body["model"]}


def _reason(message: Item, status: str) -> str:
    if status == "incomplete":
        return "length"
    return "tool_calls" if message.get("tool_calls") else "stop"


def _pieces(text: str) -> list[str]:
    return [text[at : at + 5] for at in range(0, len(text), 5)]
