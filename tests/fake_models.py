"""Fake models, for tests of runs."""

import asyncio
from collections.abc import AsyncGenerator

from tests.sample_items import answer
from turnlog import ModelRequest, ModelResponse, TextDelta, Usage
from turnlog.agents.models.model import ItemDone, ModelEvent, ResponseDone
from turnlog.items.json import Item


class Echo:
    """A model that answers with the number of items that it was shown, and remembers them."""

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []

    async def respond(self, request: ModelRequest) -> ModelResponse:
        self.requests.append(request)
        return ModelResponse([answer(f"saw {len(request.items)}")])


class Broken:
    """A model that fails a number of times before it answers, and remembers what it was shown."""

    def __init__(self, failures: int) -> None:
        self.left = failures
        self.shown: list[list[Item]] = []

    async def respond(self, request: ModelRequest) -> ModelResponse:
        self.shown.append(request.items)
        self.left -= 1
        if self.left >= 0:
            raise ConnectionError("the provider hung up")
        return ModelResponse([answer("at last")])


class Script:
    """A model that gives its responses one after the other, and remembers its requests."""

    def __init__(self, *responses: list[Item]) -> None:
        self.responses = list(responses)
        self.requests: list[ModelRequest] = []

    async def respond(self, request: ModelRequest) -> ModelResponse:
        self.requests.append(request)
        await asyncio.sleep(0)
        return ModelResponse(self.responses.pop(0), Usage(10, 1))

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        response = await self.respond(request)
        for item in response.output:
            for part in item.get("content") or ():
                for word in part["text"].split(" "):
                    await asyncio.sleep(0)
                    yield TextDelta(word)
            yield ItemDone(item)
        yield ResponseDone(response)
