"""Assembly: a chat message made from the pieces in which it is streamed."""

from __future__ import annotations

from turnlog.convert.shapes import Message

__all__ = ["Assembly"]

_TEXTS = ("content", "refusal", "reasoning_content", "reasoning")


class Assembly:
    """Collects deltas; `message` is their sum so far."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._calls: list[Message] = []
        self._current: dict[int, Message] = {}  # the newest call of each index

    def add(self, delta: Message) -> str:
        """Take in `delta`; return the text that it adds to the message."""
        for field in _TEXTS:
            if isinstance(delta.get(field), str):
                self._texts[field] = self._texts.get(field, "") + delta[field]
        for piece in delta.get("tool_calls") or ():
            self._add_call(piece)
        return delta.get("content") or ""

    @property
    def message(self) -> Message:
        """The message, in the form that a completion has when it isn't streamed."""
        calls = {"tool_calls": self._calls} if self._calls else {}
        return {"role": "assistant", "content": None, **self._texts, **calls}

    def _add_call(self, piece: Message) -> None:
        call = self._call(piece)
        function = piece.get("function") or {}
        for field in ("name", "arguments"):
            call["function"][field] += function.get(field) or ""
        if piece.get("extra_content"):
            call["extra_content"] = piece["extra_content"]

    def _call(self, piece: Message) -> Message:
        index, call_id = piece.get("index") or 0, piece.get("id") or ""
        call = self._current.get(index)
        # Some servers give every call the index 0; then another id means another call.
        if call is None or (call_id and call["id"] and call_id != call["id"]):
            call = {"id": "", "type": "function", "function": {"name": "", "arguments": ""}}
            self._current[index] = call
            self._calls.append(call)
        call["id"] = call["id"] or call_id
        return call
