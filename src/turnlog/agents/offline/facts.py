"""Facts: statements that people make about themselves in English, found with a few patterns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

__all__ = [
    "Fact",
    "asks_for_all",
    "asks_what_was_said",
    "facts_in",
    "is_asking",
    "latest",
    "topics_asked",
]


class Fact(NamedTuple):
    """A statement, such as `topic` "your name", `says` "your name is Alice"."""

    topic: str
    says: str


# Of bounded length, so that searching a text takes no longer than the text is long.
_TOPIC = r"(?P<topic>[\w' -]{1,60}?)"
_VERB = r"(?P<verb>love|like|enjoy|prefer|hate|live|work|study|speak|use|need|want)"
# A value ends where the sentence does, or where another statement begins.
_VALUE = r"(?P<value>.+?)(?=\s*(?:[,;]|$|\b(?:and|but)\s+(?:i|my|you|please)\b))"

#: A pattern, the topic of the fact that it finds, and the fact in words.
_STATEMENTS = [
    (
        rf"\bmy\s+{_TOPIC}\s+(?P<verb>is|are)\s+{_VALUE}",
        "your {topic}",
        "your {topic} {verb} {value}",
    ),
    (rf"\bmy\s+name's\s+{_VALUE}", "your name", "your name is {value}"),
    (rf"\b(?:i\s+am|i'm)\s+called\s+{_VALUE}", "your name", "your name is {value}"),
    (r"\bcall\s+me\s+(?P<value>\w+)", "your name", "your name is {value}"),
    (rf"\b(?:i\s+am|i'm)\s+from\s+{_VALUE}", "you are from", "you are from {value}"),
    (rf"\b(?:i\s+am|i'm)\s+(?!called\b|from\b){_VALUE}", "you are", "you are {value}"),
    (rf"\bi\s+(?:really\s+|also\s+)?{_VERB}\s+{_VALUE}", "you {verb}", "you {verb} {value}"),
]

#: A pattern, and the topics that it asks about, the best one first.
_QUESTIONS = [
    (r"\b(?:who|what)\s+am\s+i\b", ["your name", "you are"]),
    (r"\bam\s+i\s+from\b", ["you are from"]),
    (
        r"\bdo\s+i\s+(?P<verb>love|like|enjoy)\b",
        ["you {verb}", "you love", "you like", "you enjoy"],
    ),
    (r"\bdo\s+i\s+(?:work|do)\b|\bmy\s+(?:job|work)\b", ["you work", "your job", "your work"]),
    (rf"\bdo\s+i\s+{_VERB}\b", ["you {verb}"]),
    (rf"\bmy\s+{_TOPIC}(?:\s+(?:is|are))?\s*(?:[?.!,]|$|\bagain\b)", ["your {topic}"]),
]

_ASKING = re.compile(
    r"\?\s*$|^\s*(?:what|who|where|which|when|how|do\s+you|can\s+you|tell\s+me|remind\s+me)\b",
    re.IGNORECASE,
)
_ASKING_FOR_ALL = re.compile(r"\babout\s+me\b|\bremember\b", re.IGNORECASE)
_ASKING_WHAT_WAS_SAID = re.compile(
    r"\bdid\s+i\s+(?:(?:first|last|just)\s+)?(?:say|tell|ask)\b"
    r"|\bi\s+(?:(?:first|last|just)\s+)?(?:said|told|asked)\b",
    re.IGNORECASE,
)


def is_asking(text: str) -> bool:
    """Whether `text` is a question."""
    return _ASKING.search(text) is not None


def asks_for_all(text: str) -> bool:
    """Whether the question `text` asks for everything that is known."""
    return _ASKING_FOR_ALL.search(text) is not None


def asks_what_was_said(text: str) -> bool:
    """Whether the question `text` asks for earlier words and not for a fact."""
    return _ASKING_WHAT_WAS_SAID.search(text) is not None


def facts_in(text: str) -> Iterator[Fact]:
    """The facts in `text`, in order, without those in questions."""
    for line in text.splitlines():
        for sentence in re.split(r"(?<=[.!?])\s", _typed(line)):
            if not is_asking(sentence):
                yield from _facts_in_sentence(sentence.rstrip(".!?"))


def latest(texts: Iterable[str]) -> dict[str, Fact]:
    """The last fact of each topic, in the order in which the topics came up."""
    return {fact.topic: fact for text in texts for fact in facts_in(text)}


def topics_asked(text: str) -> list[str]:
    """The topics that the question `text` asks about, best first; empty if no pattern fits."""
    text = _typed(text)
    for pattern, topics in _QUESTIONS:
        found = re.search(pattern, text, re.IGNORECASE)
        if found:
            return [topic.format_map(_lowered(found)) for topic in topics]
    return []


def _facts_in_sentence(sentence: str) -> list[Fact]:
    found = [
        (match.start(), Fact(topic.format_map(_lowered(match)), _says(says, match)))
        for pattern, topic, says in _STATEMENTS
        for match in re.finditer(pattern, sentence, re.IGNORECASE)
    ]
    return [fact for _, fact in sorted(found)]


def _says(says: str, found: re.Match[str]) -> str:
    return says.format_map({**_lowered(found), "value": found["value"].strip()})


def _lowered(found: re.Match[str]) -> dict[str, str]:
    return {name: value.lower() for name, value in found.groupdict().items() if value}


def _typed(text: str) -> str:
    """`text` with one space between words, and the apostrophes that keyboards have."""
    return " ".join(text.replace("\u2019", "'").split())
