"""Erasure of a conversation at OpenAI that fails, and is tried again."""

import pytest
from openai import InternalServerError

from tests.providers.conversations_server import Fault, Server
from tests.sessions.conversations.conversations import numbered
from turnlog import AsyncOpenAI, OpenAIConversationsSession
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize("at", range(4))
async def test_a_fault_at_every_request(
    client: AsyncOpenAI, server: Server, at: int, is_done: bool
) -> None:
    session = OpenAIConversationsSession(None, client.with_options(max_retries=0))
    await session.add_items(numbered(3))
    [conversation] = server.conversations.values()
    server.faults = {1 + at: Fault(500, is_done)}
    with pytest.raises(InternalServerError):
        await session.clear_session(erase=True)
    assert session.session_id == conversation.id
    await session.clear_session(erase=True)
    assert session.conversation_id is None
    assert conversation.is_deleted
    assert not conversation.items


async def test_the_store_fails_in_the_middle(
    client: AsyncOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    session = OpenAIConversationsSession(None, client, store=store)
    await session.add_items(numbered(1))

    async def fail(session: str) -> None:
        raise OSError("no store today")

    with monkeypatch.context() as broken:
        broken.setattr(store, "delete", fail)
        with pytest.raises(OSError, match="no store"):
            await session.clear_session()
    conversation = session.session_id
    assert await store.logs(conversation)
    await session.clear_session()
    assert not await store.logs(conversation)
