"""Sample items that a session must return unchanged."""

from __future__ import annotations

from turnlog.items.json import Item

__all__ = ["ITEMS", "said"]

#: A conversation with every kind of value that JSON has.
ITEMS: tuple[Item, ...] = (
    {"role": "user", "content": "What's the weather in Tōkyō? 🌧\n\t\"'\\"},
    {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "weather",
        "arguments": '{"city": "Tōkyō", "units": null}',
        "status": "completed",
    },
    {"type": "function_call_output", "call_id": "call_1", "output": '{"rain": true}'},
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [],
        "encrypted_content": None,
        "score": [0.1, 1e-7, 1e300, -0.0, 0, -1, 2**53, 2**63 - 1],
    },
    {
        "id": "msg_1",
        "role": "assistant",
        "type": "message",
        "status": "completed",
        "content": [
            {"type": "output_text", "text": "Rain.", "annotations": [], "logprobs": []},
            {"type": "refusal", "refusal": ""},
        ],
    },
    {"zulu": 1, "alpha": {"zulu": [[[{"": {}}]]], "alpha": True}, "": "", "é": False},
    {"role": "user", "content": ""},
    {"role": "user", "content": "\x00\x01\x1f\x7f\u2028\u2029\ufeff\U0010ffff é e\u0301"},
    {},
)


def said(text: str) -> Item:
    """A user's message."""
    return {"role": "user", "content": text}
