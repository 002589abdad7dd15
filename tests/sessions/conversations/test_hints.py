"""Errors of the API that need a cure from outside: a key, or another conversation."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from openai import AuthenticationError, NotFoundError, PermissionDeniedError

from tests.providers.conversations_server import Fault, Server
from tests.sessions.conversations.conversations import Make, numbered, texts
from turnlog import AsyncOpenAI, IncompleteAppend, OpenAIConversationsSession

pytestmark = pytest.mark.anyio


async def test_a_conversation_that_others_have_deleted(
    make: Make, client: AsyncOpenAI, server: Server
) -> None:
    session = make()
    await session.add_items(numbered(130))
    name = session.session_id

    def delete(method: str, path: str) -> None:
        if server.count("GET") == 2:
            server.conversations[name].is_deleted = True

    server.before = delete
    calls: list[Callable[[], Awaitable[Any]]] = [
        session.get_items,
        session.pop_item,
        lambda: session.add_items(numbered(1)),
        session.about,
    ]
    for call in calls:
        with pytest.raises(NotFoundError) as caught:
            await call()
        assert "clear_session()" in str(caught.value.__notes__)
    assert session.session_id == name
    await session.clear_session()
    await session.add_items(numbered(1))
    assert texts(server.only.items) == ["0"]


@pytest.mark.parametrize(
    ("status", "kind"), [(401, AuthenticationError), (403, PermissionDeniedError)]
)
async def test_a_key_that_expires_during_an_append(
    make: Make, server: Server, status: int, kind: type[Exception]
) -> None:
    session = make()
    await session.add_items(numbered(1))
    server.faults = {2: Fault(status)}
    with pytest.raises(IncompleteAppend) as caught:
        await session.add_items(numbered(60, 1), key="k")
    assert isinstance(caught.value.__cause__, kind)
    assert "key" in str(caught.value.__cause__.__notes__)
    await session.add_items(numbered(60, 1), key="k")
    assert texts(server.only.items) == [str(n) for n in range(61)]


async def test_keys_that_are_rotated(server: Server) -> None:
    """The client asks for the key before each request, also where we use a copy of it."""
    keys = iter(range(1000))

    async def key() -> str:
        return f"sk-{next(keys)}"

    async with AsyncOpenAI(api_key=key, base_url=server.url) as client:
        session = OpenAIConversationsSession(client=client)
        await session.add_items(numbered(60))
        await session.pop_item()
        assert len(await session.get_items()) == 59
    assert len(set(server.keys)) == len(server.keys) == len(server.requests)
