"""Clearing of a conversation at OpenAI: what is about it goes to the next one."""

from typing import Any

import pytest

from tests.providers.conversations_server import Server
from tests.sessions.conversations.conversations import Make, numbered
from turnlog import About
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("with_store", [False, True])
async def test_a_clear_keeps_what_is_about_it(make: Make, server: Server, with_store: bool) -> None:
    store = MemoryStore() if with_store else None
    session = make(store=store)
    await session.describe(title="Trip", owner="ada", tags=["a"], hold=True, archived=True)
    await session.add_items(numbered(1))
    server.only.metadata["theirs"] = "x"
    first = session.session_id
    await session.clear_session()
    kept = About(None, ("a",), "ada", hold=True)
    assert await session.about() == kept
    await session.add_items(numbered(1))
    assert server.only.metadata == {"owner": "ada", "hold": "true", "tags": '["a"]', "theirs": "x"}
    assert await session.about() == kept
    if store is not None:
        [head] = await store.sessions()
        assert head.log.session == session.session_id != first
        assert About.of(head.note) == kept


async def test_a_clear_that_failed_behind_the_deletion(
    make: Make, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The metadata is gone then, but was read before."""
    store = MemoryStore()
    session = make(store=store)
    await session.describe(owner="ada")
    await session.add_items(numbered(1))

    async def fail(*_: Any, **__: Any) -> None:
        raise OSError("no store today")

    with monkeypatch.context() as broken:
        broken.setattr(store, "delete", fail)
        with pytest.raises(OSError, match="no store"):
            await session.clear_session()
    await session.clear_session()
    assert await session.about() == About(owner="ada")
    assert session.conversation_id is None
