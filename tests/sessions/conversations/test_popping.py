"""Removal of the newest item of a conversation at OpenAI, when the last try fails as well."""

import pytest
from openai import APIConnectionError

from tests.providers.conversations_server import Fault, Server
from tests.sessions.conversations.conversations import Make, numbered, texts
from turnlog import PopUncertain

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("is_done", [False, True])
async def test_the_last_try_is_looked_at(make: Make, server: Server, is_done: bool) -> None:
    """The client's error means that the item is still there."""
    session = make(patience=0)
    await session.add_items(numbered(3))
    server.fail(Fault("cut", is_done))
    with pytest.raises(PopUncertain if is_done else APIConnectionError):
        await session.pop_item()
    assert texts(server.only.items) == [str(n) for n in range(3 - is_done)]
