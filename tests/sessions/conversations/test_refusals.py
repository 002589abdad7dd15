"""What a conversation at OpenAI can't do raises an error that says what to do instead."""

from typing import Any

import pytest

import turnlog.sync
from tests.providers.conversations_server import Server
from tests.sessions.conversations.conversations import Make, numbered, texts
from turnlog import AsyncOpenAI, NotSupported, OpenAIConversationsSession, StoredSession
from turnlog.sessions.conversations.refusals import Refusals
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

#: Properties of stored sessions that need no refusal: positions, and a hook for subclasses.
WITHOUT = {"unreadable", "add_items_is_overridden"}
REFUSED = sorted(name for name in vars(Refusals) if not name.startswith("_"))


def test_every_method_of_a_stored_session_is_there() -> None:
    """It does the same here, or raises `NotSupported`."""
    names = {name for name in dir(StoredSession) if not name.startswith("_")}
    assert names - set(dir(OpenAIConversationsSession)) == WITHOUT


@pytest.mark.parametrize("name", REFUSED)
async def test_what_it_can_not_do(session: OpenAIConversationsSession, name: str) -> None:
    with pytest.raises(NotSupported, match=r"Conversations API has no .*: .*(copy|turn|usage)"):
        await getattr(session, name)()
    assert issubclass(NotSupported, NotImplementedError)


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_blocking_twin_can_not_do(server: Server, name: str) -> None:
    client = AsyncOpenAI(api_key="k", base_url=server.url)
    session: Any = turnlog.sync.OpenAIConversationsSession(client=client)
    with pytest.raises(NotSupported, match="Conversations API has no"):
        getattr(session, name)()
    assert not hasattr(session, "no_such_method")


async def test_usage_of_branches_and_turns(make: Make) -> None:
    session: Any = make(store=MemoryStore())
    for more in ({"by": "turn"}, {"branches": "all"}, {"turns": 3}):
        with pytest.raises(NotSupported, match="branches and positions"):
            await session.usage(**more)
    with pytest.raises(NotSupported, match="summaries"):
        async with session.turn("Hello", compaction=object()):
            pass


async def test_all_of_it_whatever_the_settings(session: OpenAIConversationsSession) -> None:
    await session.add_items(numbered(5))
    session.session_settings = {"limit": 2}
    assert texts(await session.history()) == ["0", "1", "2", "3", "4"]
