"""Payloads: bytes in a text column, where the database checks that it is text."""

from __future__ import annotations

from base64 import b64decode, b64encode

__all__ = ["from_text", "to_text"]

#: Bytes that no text column takes are stored after this mark, as base64. JSON never begins so.
_MARK = "turnlog:base64:"
_MARK_BYTES = _MARK.encode()


def to_text(payload: bytes) -> str:
    """`payload` as text that every database takes; JSON stays unchanged."""
    try:
        plain = payload.decode()
    except UnicodeDecodeError:
        return _marked(payload)
    if "\0" in plain or plain.startswith(_MARK):
        return _marked(payload)
    return plain


def from_text(value: str | bytes) -> bytes:
    """The bytes that were stored."""
    if isinstance(value, bytes):
        return value
    payload = value.encode(errors="surrogatepass")
    return b64decode(payload[len(_MARK) :]) if payload.startswith(_MARK_BYTES) else payload


def _marked(payload: bytes) -> str:
    return _MARK + b64encode(payload).decode()
