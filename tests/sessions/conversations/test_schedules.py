"""Random uses of one conversation at OpenAI under random faults, with few different words."""

import random
from typing import Any, Literal

import pytest
from openai import APIError

from tests.providers.conversations_server import Fault, Server
from tests.sessions.conversations.conversations import texts
from turnlog import (
    AsyncOpenAI,
    IncompleteAppend,
    OpenAIConversationsSession,
    PopUncertain,
)
from turnlog.sessions.conversations import remote, retrying
from turnlog.stores.memory import MemoryStore

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

KINDS: list[int | Literal["cut"]] = [500, 503, 408, 409, 429, "cut"]


class Faults(dict[int, Fault]):
    """A fault for about every third request."""

    def __init__(self, drawn: random.Random) -> None:
        super().__init__()
        self._drawn = drawn

    def get(self, number: int, default: Any = None) -> Any:
        if self._drawn.random() > 0.3:
            return default
        return Fault(self._drawn.choice(KINDS), self._drawn.random() < 0.5)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_FIRST", 0.001)


async def added(session: OpenAIConversationsSession, items: Any, key: str | None) -> None:
    """Store the items, as a program does that doesn't give up."""
    while True:
        try:
            return await session.add_items(items, key=key)
        except IncompleteAppend as error:
            items = items if key else error.remaining
        except APIError:
            pass  # nothing is stored


async def popped(session: OpenAIConversationsSession, server: Server) -> str:
    while True:
        count = len(server.only.items)
        try:
            item = await session.pop_item()
        except PopUncertain as error:
            if len(server.only.items) == count:
                continue
            item = error.item
        except APIError:
            assert len(server.only.items) == count
            continue
        return texts([item])[0] if item else ""


async def read(session: OpenAIConversationsSession, limit: int) -> list[str]:
    while True:
        try:
            return texts(await session.get_items(limit))
        except APIError:
            pass


@pytest.mark.parametrize("seed", range(12))
async def test_one_writer_under_faults(
    server: Server, client: AsyncOpenAI, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is there is what was added and not popped, although many items say the same."""
    drawn = random.Random(seed)
    monkeypatch.setattr(remote, "_FRESH_SECONDS", drawn.choice([0.0, 0.01, 30.0]))
    conversation = (await client.conversations.create(items=[])).id
    server.faults = Faults(drawn)
    server.read_faults = Faults(drawn)
    store = MemoryStore()
    session = OpenAIConversationsSession(
        conversation,
        client.with_options(max_retries=0),
        store=drawn.choice([None, store]),
        patience=drawn.choice([0.0, 0.01, 30.0]),
    )
    expected: list[str] = []
    for number in range(40):
        act = drawn.choice(["add", "add", "key", "pop", "pop", "read"])
        if act == "read":
            limit = drawn.randint(1, 30)
            assert await read(session, limit) == expected[-limit:]
        elif act == "pop":
            assert await popped(session, server) == (expected.pop() if expected else "")
        else:
            said = [drawn.choice("abc") for _ in range(drawn.choice([1, 1, 2, 25, 50]))]
            items = [{"role": "user", "content": text} for text in said]
            await added(session, items, f"k{number}" if act == "key" else None)
            expected += said
        assert texts(server.only.items) == expected, act
