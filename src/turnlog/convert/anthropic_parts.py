"""Anthropic content blocks: the parts of an item's content in Anthropic's form."""

from __future__ import annotations

import re

from turnlog.convert.shapes import Message, left_out
from turnlog.items.json import Item
from turnlog.items.text import text_of

__all__ = ["ANTHROPIC", "block"]

ANTHROPIC = "Anthropic messages"

_DATA_URL = re.compile(
    r"data:(?P<type>[\w.+-]+/[\w.+-]+)(?:;[^,;]*)*;base64,(?P<data>.*)", re.DOTALL
)


def block(part: Item) -> Message | None:
    """One part as a block; None if it is empty, or can't be expressed, which is logged."""
    text = text_of(part)
    if text is None and part.get("type") == "refusal":
        text = str(part.get("refusal", ""))
    if text is not None:
        # Anthropic refuses a block whose text is empty or only spaces.
        return {"type": "text", "text": text} if text.strip() else None
    found = _media(part)
    if found is None:
        left_out(part.get("type"), ANTHROPIC)
    return found


def _media(part: Item) -> Message | None:
    match part:
        case {"type": "input_image", "image_url": str(url)}:
            return {"type": "image", "source": _source(url)}
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return {"type": "image", "source": _source(url)}
        case {"type": "input_file", "file_url": str(url)}:
            return {"type": "document", "source": _source(url), **_title(part)}
        case {"type": "input_file", "file_data": str(data)}:
            # Both forms are in use: a data URL, and the bare base64 of a PDF.
            url = data if data.startswith("data:") else f"data:application/pdf;base64,{data}"
            return {"type": "document", "source": _source(url), **_title(part)}
    return None


def _source(url: str) -> Message:
    found = _DATA_URL.fullmatch(url)
    if found is None:
        return {"type": "url", "url": url}
    return {"type": "base64", "media_type": found["type"], "data": found["data"]}


def _title(part: Item) -> Message:
    return {"title": part["filename"]} if part.get("filename") else {}
