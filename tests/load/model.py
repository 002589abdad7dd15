"""A strict model behind Chat Completions, for many requests at once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from tests.providers.openai_events import chat_events
from tests.providers.openai_rules import Refused, Rules

__all__ = ["StrictModel", "answer_to"]


def answer_to(question: str) -> str:
    """What the model says to a question."""
    return f"You said: {question}. That is noted, and here are some more words on it."


class StrictModel:
    """Answers by streams that take a moment, and refuses what a strict provider refuses.

    Beside the rules of the API: questions and answers alternate, and the last is a question.
    """

    def __init__(self) -> None:
        self.app = FastAPI()
        self.app.post("/v1/chat/completions")(self._complete)
        self.asked = 0
        self.refused: list[str] = []
        #: Questions that are being answered, and of whose answers at most a half was sent.
        self.begun: set[str] = set()
        self._rules = Rules()

    async def _complete(self, request: Request) -> Response:
        body = await request.json()
        self.asked += 1
        try:
            self._rules.check("/v1/chat/completions", body)
            _check_alternates(body["messages"])
        except Refused as refused:
            self.refused.append(str(refused.body))
            return JSONResponse(refused.body, refused.status)
        return StreamingResponse(self._stream(body), media_type="text/event-stream")

    async def _stream(self, body: dict[str, Any]) -> AsyncIterator[str]:
        content = body["messages"][-1]["content"]
        question = content if isinstance(content, str) else content[0]["text"]
        events = [*chat_events({"content": answer_to(question)}, body, "completed")]
        self.begun.add(question)
        try:
            for number, event in enumerate(events):
                if number > len(events) // 2:
                    self.begun.discard(question)
                yield event
                await asyncio.sleep(0.01)
        finally:
            self.begun.discard(question)


def _check_alternates(messages: list[dict[str, Any]]) -> None:
    roles = [message["role"] for message in messages if message["role"] != "system"]
    expected = ["user", "assistant"] * (len(roles) // 2) + ["user"]
    if roles != expected:
        raise Refused(f"roles must alternate, and are {roles}", "messages")
