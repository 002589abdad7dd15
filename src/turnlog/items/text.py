"""Texts of items: the parts of a content, and the words in them."""

from __future__ import annotations

from collections.abc import Iterable

from turnlog.items.json import Item

__all__ = ["joined_text", "parts_of", "refusal_in", "text_of"]

_TEXT_PARTS = {"input_text", "output_text", "text"}


def parts_of(content: object) -> list[Item]:
    """The parts of a content, which may also be one string; "" has none."""
    if isinstance(content, str):
        return [{"type": "input_text", "text": content}] if content else []
    if not isinstance(content, Iterable):
        return []
    return [part for part in content if isinstance(part, dict)]


def text_of(part: Item) -> str | None:
    """The text of a part; None if it is a part of another kind."""
    return str(part.get("text", "")) if str(part.get("type")) in _TEXT_PARTS else None


def joined_text(content: object, between: str = "") -> str:
    """The texts of all parts of a content, with `between` between them."""
    return between.join(text for part in parts_of(content) if (text := text_of(part)) is not None)


def refusal_in(content: object) -> str:
    """The refusals among the parts of a content, "" if there are none."""
    refusals = [part.get("refusal") for part in parts_of(content)]
    return "".join(refusal for refusal in refusals if isinstance(refusal, str))
