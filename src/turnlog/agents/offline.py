"""A stand-in for a model, for demos and tests without a network."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from turnlog.agents.facts import asked_about, facts_in, is_question, latest
from turnlog.agents.model import ModelRequest, ModelResponse
from turnlog.items import Item, encode

__all__ = ["OfflineModel"]


class OfflineModel:
    """Not an LLM: a few patterns that answer from the conversation they are shown.

    It needs no network and always answers the same conversation with the same words. Told
    "My name is Alice and I love Python", and asked "What's my name?", it finds the answer
    in the history; without the history it can't, which is what makes it a test of memory.
    """

    async def respond(self, request: ModelRequest) -> ModelResponse:
        """Answer the last thing that the user said."""
        said = [_text(item) for item in request.items if item.get("role") == "user"]
        text = _answer(said[-1], said[:-1]) if said else "Nobody has said anything yet."
        return ModelResponse([_message(text, request.items)])


def _answer(last: str, earlier: list[str]) -> str:
    if not is_question(last):
        return _acknowledged(last)
    known = latest([*earlier, last])
    topic = asked_about(last)
    if topic is None:
        return _all_known(map(str, known.values()))
    # "What do I do for my work?" is no topic anybody stated: say so rather than guess.
    fact = known.get(topic)
    return _sentence(str(fact)) if fact else f"I can't tell {topic}: you haven't said it here."


def _acknowledged(text: str) -> str:
    facts = [str(fact) for fact in facts_in(text)]
    return f"I'll remember: {_listed(facts)}." if facts else "I'll remember that you said so."


def _all_known(facts: Iterable[str]) -> str:
    facts = list(facts)
    return _sentence(_listed(facts)) if facts else "I know nothing about you yet."


def _listed(facts: list[str]) -> str:
    return " and ".join([", ".join(facts[:-1]), facts[-1]] if len(facts) > 1 else facts)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{' '.join(text[1:].split())}."


def _text(item: Item) -> str:
    """What a user's message says, in either of its two forms."""
    content = item.get("content")
    if isinstance(content, str):
        return content
    parts = [part for part in content or () if isinstance(part, dict)]
    return " ".join(str(part["text"]) for part in parts if "text" in part)


def _message(text: str, shown: list[Item]) -> Item:
    digest = hashlib.sha256(b"\n".join(map(encode, shown))).hexdigest()
    return {
        "id": f"msg_offline_{digest[:24]}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }
