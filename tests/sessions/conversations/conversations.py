"""What the tests of conversations at OpenAI share: a server, a client and sessions."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx2
import pytest

from tests.providers.conversations_server import Server, Transport, serving
from turnlog import AsyncOpenAI, OpenAIConversationsSession

__all__ = ["client", "make", "numbered", "server", "session", "texts"]

Make = Callable[..., OpenAIConversationsSession]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncOpenAI]:
    http = httpx2.AsyncClient(transport=Transport())
    async with AsyncOpenAI(
        api_key="sk-very-secret", base_url=server.url, timeout=100, http_client=http
    ) as client:
        yield client


@pytest.fixture
def make(client: AsyncOpenAI) -> Make:
    def make(conversation_id: str | None = None, **more: Any) -> OpenAIConversationsSession:
        return OpenAIConversationsSession(conversation_id, client, **more)

    return make


@pytest.fixture
def session(make: Make) -> OpenAIConversationsSession:
    return make()


def numbered(count: int, first: int = 0) -> list[dict[str, Any]]:
    return [{"role": "user", "content": f"{n}"} for n in range(first, first + count)]


def texts(items: list[dict[str, Any]]) -> list[str]:
    """The text of each message; anything else by its type."""
    return [item["content"][0]["text"] if "content" in item else item["type"] for item in items]
