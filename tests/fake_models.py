"""Models for tests of runs, and the items that go in and come out."""

from turnlog import ModelRequest, ModelResponse
from turnlog.items.json import Item


def answer(text: str) -> Item:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "role": "assistant", "content": [part]}


class Echo:
    """A model that says how many items it was shown, and remembers which."""

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []

    async def respond(self, request: ModelRequest) -> ModelResponse:
        self.requests.append(request)
        return ModelResponse([answer(f"saw {len(request.items)}")])


class Broken:
    """A model that fails so many times before it answers, and remembers what it was shown."""

    def __init__(self, failures: int) -> None:
        self.left = failures
        self.shown: list[list[Item]] = []

    async def respond(self, request: ModelRequest) -> ModelResponse:
        self.shown.append(request.items)
        self.left -= 1
        if self.left >= 0:
            raise ConnectionError("the provider hung up")
        return ModelResponse([answer("at last")])


def user(text: str) -> Item:
    return {"content": text, "role": "user"}
