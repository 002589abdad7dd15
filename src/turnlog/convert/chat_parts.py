"""Chat parts: text, images, files and audio, from items to chat messages and back."""

from __future__ import annotations

from turnlog.convert.shapes import Message, left_out
from turnlog.items.json import Item
from turnlog.items.text import text_of

__all__ = ["CHAT", "chat_content", "chat_part", "item_content", "item_part"]

CHAT = "Chat Completions"

_FILE_FIELDS = ("file_data", "file_id", "filename")


def chat_content(content: object) -> str | list[Message]:
    """The content of a message that is not an assistant's, in chat's form."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    found = [chat_part(part) for part in parts if isinstance(part, dict)]
    return [part for part in found if part is not None]


def chat_part(part: Item) -> Message | None:
    """One part in chat's form; None if chat can't express it, which is logged."""
    text = text_of(part)
    if text is not None:
        return {"type": "text", "text": text}
    found = _media_part(part)
    if found is None:
        left_out(part.get("type"), CHAT)
    return found


def _media_part(part: Item) -> Message | None:
    match part:
        case {"type": "input_image", "image_url": str(url)}:
            detail = part.get("detail") or "auto"
            given = {} if detail == "auto" else {"detail": detail}
            return {"type": "image_url", "image_url": {"url": url, **given}}
        case {"type": "input_file", "file_data": str()} | {"type": "input_file", "file_id": str()}:
            return {"type": "file", "file": {k: part[k] for k in _FILE_FIELDS if part.get(k)}}
        case {"type": "input_audio", "input_audio": dict(audio)}:
            return {"type": "input_audio", "input_audio": audio}
        case {"type": "image_url", "image_url": str(url)}:
            return {"type": "image_url", "image_url": {"url": url}}
        case {"type": "image_url", "image_url": {"url": str()}} | {"type": "file", "file": dict()}:
            return part  # stored in chat's own form
    return None


def item_content(content: object) -> str | list[Item]:
    """The content of a message that is not an assistant's, in the form of items."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return [item_part(part) for part in parts if isinstance(part, dict)]


def item_part(part: Message) -> Item:
    """One part in the form of items; a part that is in that form already stays as it is."""
    match part:
        case {"type": "text", "text": str(text)}:
            return {"type": "input_text", "text": text}
        case {"type": "image_url", "image_url": {"url": str(url), **more}}:
            detail = more.get("detail", "auto")
            return {"type": "input_image", "image_url": url, "detail": detail}
        case {"type": "file", "file": dict(file)}:
            return {"type": "input_file", **{k: file[k] for k in _FILE_FIELDS if k in file}}
    return part
