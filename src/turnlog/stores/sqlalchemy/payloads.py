"""Payloads: bytes in the text column of the shared messages.

Most databases check that it is text, so what is no text becomes a JSON object. To the session
classes of others, text that is no JSON is a broken row, which their pop deletes on its way to the
next one; an object is one item. SQLite takes bytes as they are, at which those classes raise.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["TEXT", "TEXT_OR_BLOB", "Form"]


class Form(NamedTuple):
    """The form in which a column holds payloads."""

    encode: Callable[[bytes], str | bytes]
    decode: Callable[[str | bytes], bytes]


#: An object begins and ends exactly so; base64 is between.
_BEGIN, _END = '{"__turnlog__": 1, "sealed": "', '"}'
#: What stands before base64 in older databases, which are read for ever. JSON never begins so.
_OLD_MARK = "turnlog:base64:"
_OLD_MARK_BYTES = _OLD_MARK.encode()


def _to_text(payload: bytes) -> str:
    """`payload` as text that every database takes; JSON stays unchanged."""
    try:
        plain = payload.decode()
    except UnicodeDecodeError:
        return _wrapped(payload)
    if "\0" in plain or plain.startswith((_BEGIN, _OLD_MARK)):
        return _wrapped(payload)
    return plain


def _from_text(value: str | bytes) -> bytes:
    """The bytes that `_to_text` stored, now or in an older version."""
    if isinstance(value, str) and value.startswith(_BEGIN) and value.endswith(_END):
        return _unwrapped(value)
    return _from_old_text(value)


def _to_text_or_blob(payload: bytes) -> str | bytes:
    """`payload` as `SQLiteStore` has it too."""
    try:
        plain = payload.decode()
    except UnicodeDecodeError:
        return payload
    return payload if plain.startswith(_OLD_MARK) else plain


def _from_old_text(value: str | bytes) -> bytes:
    """The bytes that `_to_text_or_blob` stored, or `_to_text` of an older version."""
    if isinstance(value, bytes):
        return value
    stored = value.encode(errors="surrogatepass")
    if stored.startswith(_OLD_MARK_BYTES):
        return b64decode(stored[len(_OLD_MARK) :])
    return stored


def _wrapped(payload: bytes) -> str:
    return _BEGIN + b64encode(payload).decode() + _END


def _unwrapped(stored: str) -> bytes:
    """The bytes in the object; `stored` itself if another wrote it, and it holds no base64."""
    try:
        return b64decode(stored[len(_BEGIN) : -len(_END)], validate=True)
    except ValueError:
        return _from_old_text(stored)


#: Columns that take text only.
TEXT = Form(_to_text, _from_text)
#: Columns of SQLite, which take bytes too.
TEXT_OR_BLOB = Form(_to_text_or_blob, _from_old_text)
