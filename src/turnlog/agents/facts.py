"""What people say of themselves in plain English, found with a handful of patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

__all__ = ["Fact", "asked_about", "facts_in", "is_question", "latest"]


class Fact(NamedTuple):
    """Something said, such as `topic` "your name", `verb` "is", `value` "Alice"."""

    topic: str
    verb: str
    value: str

    def __str__(self) -> str:
        return " ".join(filter(None, self))


# A value ends where the sentence does, or where another statement begins.
_VALUE = r"(?P<value>.+?)(?=\s*(?:[.,;!?\n]|$|\b(?:and|but)\s+(?:i|my|you|please)\b))"
_ACTIVITIES = r"(?P<verb>love|like|enjoy|prefer|hate|live|work|study|speak|use|need|want)"

_STATEMENTS = (
    re.compile(rf"\bmy\s+(?P<topic>[\w' -]+?)\s+(?P<verb>is|are)\s+{_VALUE}", re.IGNORECASE),
    re.compile(
        rf"\b(?:i\s+am|i'm)\s+called\s+{_VALUE}|\bcall\s+me\s+(?P<other>\w+)", re.IGNORECASE
    ),
    re.compile(rf"\bi\s+(?:really\s+|also\s+)?{_ACTIVITIES}\s+{_VALUE}", re.IGNORECASE),
)

_QUESTIONS = (
    re.compile(r"\bmy\s+(?P<topic>[\w' -]+?)\s*(?:\?|$|\bagain\b)", re.IGNORECASE),
    re.compile(rf"\bdo\s+i\s+{_ACTIVITIES}\b", re.IGNORECASE),
)

_ASKING = re.compile(
    r"\?\s*$|^\s*(?:what|who|where|which|when|how|do\s+you|can\s+you|tell\s+me)\b", re.IGNORECASE
)


def is_question(text: str) -> bool:
    """Whether `text` asks rather than tells."""
    return _ASKING.search(text) is not None


def facts_in(text: str) -> Iterator[Fact]:
    """What `text` says of its speaker, questions left out."""
    for sentence in re.split(r"(?<=[.!?\n])\s+", text):
        if not is_question(sentence):
            yield from _facts_in_sentence(sentence)


def latest(texts: Iterable[str]) -> dict[str, Fact]:
    """What was said last of each topic, in the order in which the topics came up."""
    return {fact.topic: fact for text in texts for fact in facts_in(text)}


def asked_about(text: str) -> str | None:
    """The topic that the question `text` asks about, None if that is not understood."""
    if re.search(r"\bwho\s+am\s+i\b", text, re.IGNORECASE):
        return "your name"
    for pattern in _QUESTIONS:
        found = pattern.search(text)
        if found:
            return _topic(found)
    return None


def _facts_in_sentence(sentence: str) -> Iterator[Fact]:
    for pattern in _STATEMENTS:
        for found in pattern.finditer(sentence):
            parts = found.groupdict()
            value = (parts["value"] or parts.get("other") or "").strip()
            yield Fact(_topic(found), _verb(parts), value)


def _topic(found: re.Match[str]) -> str:
    parts = found.groupdict()
    if parts.get("topic"):
        return f"your {parts['topic'].lower()}"
    if parts.get("verb"):
        return f"you {parts['verb'].lower()}"
    return "your name"


def _verb(parts: dict[str, str | None]) -> str:
    if parts.get("topic"):
        return (parts["verb"] or "is").lower()
    return "" if parts.get("verb") else "is"
