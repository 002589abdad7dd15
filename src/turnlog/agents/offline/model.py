"""The offline model: answers from a few patterns, for demos and tests without a network."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator

from turnlog.agents.models.model import (
    ItemDone,
    ModelEvent,
    ModelRequest,
    ModelResponse,
    ResponseDone,
    TextDelta,
)
from turnlog.agents.offline.facts import (
    Fact,
    asks_for_all,
    asks_what_was_said,
    facts_in,
    is_asking,
    latest,
    topics_asked,
)
from turnlog.agents.offline.tools import call_asked_for, outputs_in_words
from turnlog.items.json import Item, encode
from turnlog.items.kinds import is_question
from turnlog.items.text import joined_text

__all__ = ["OfflineModel"]


class OfflineModel:
    """Not an LLM: a few patterns that answer from the conversation they are shown.

    It needs no network and always answers the same conversation with the same words. After
    "My name is Alice and I love Python", it can answer "What's my name?" from the history,
    and can't without it: so it makes a test of memory.

    After "use get_weather for Oslo" it calls the tool of that name, if there is one, and
    answers with the output. It hands over only if the handoff is named in the same way.
    """

    async def respond(self, request: ModelRequest) -> ModelResponse:
        """Answer the user's last message."""
        return ModelResponse([_next(request)])

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """The same answer, word by word."""
        item = _next(request)
        for part in item.get("content", ()):
            for word in re.findall(r"\s*\S+\s*$|\s*\S+", part["text"]):
                yield TextDelta(word)
        yield ItemDone(item)
        yield ResponseDone(ModelResponse([item]))


def _next(request: ModelRequest) -> Item:
    """The next item: a call, the outputs of tools in words, or an answer."""
    shown = request.items
    said = [joined_text(item.get("content"), " ") for item in shown if is_question(item)]
    if not said:
        return _message("Nobody has said anything yet.", shown)
    if is_question(shown[-1]):
        call = call_asked_for(said[-1], (*request.tools, *request.handoffs), shown)
        if call is not None:
            return call
    return _message(outputs_in_words(shown) or _answer(said[-1], said[:-1]), shown)


def _answer(last: str, earlier: list[str]) -> str:
    if not is_asking(last):
        return _acknowledged(last)
    if asks_what_was_said(last):
        return _quoted(earlier, first="first" in last.lower())
    known = latest([*earlier, last])
    topics = topics_asked(last)
    if topics:
        return _about(topics, known)
    if asks_for_all(last):
        return _all_known(list(known.values()))
    return "I can't tell: I am no LLM and know only what you say of yourself here."


def _acknowledged(text: str) -> str:
    facts = [fact.says for fact in facts_in(text)]
    return f"I'll remember: {_listed(facts)}." if facts else "I'll remember that you said so."


def _quoted(earlier: list[str], *, first: bool) -> str:
    if not earlier:
        return "I can't tell: this is the first that I hear of you."
    said = " ".join(earlier[0 if first else -1].split())
    return f"You said: {said}"


def _about(topics: list[str], known: dict[str, Fact]) -> str:
    for topic in topics:
        if topic in known:
            return _sentence(known[topic].says)
    # Topics are parts of a sentence; only those with "your" can stand alone.
    named = topics[0] if topics[0].startswith("your ") else "that"
    return f"I can't tell {named}: you haven't said it here."


def _all_known(facts: list[Fact]) -> str:
    said = [fact.says for fact in facts]
    return _sentence(_listed(said)) if said else "I know nothing about you yet."


def _listed(facts: list[str]) -> str:
    return " and ".join([", ".join(facts[:-1]), facts[-1]] if len(facts) > 1 else facts)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _message(text: str, shown: list[Item]) -> Item:
    digest = hashlib.sha256(b"\n".join(map(encode, shown))).hexdigest()
    return {
        "id": f"msg_offline_{digest[:24]}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }
