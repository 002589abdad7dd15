"""Reads of a conversation at OpenAI while others delete, and what is known of its end."""

from typing import Any

import pytest
from openai import BadRequestError

from tests.providers.conversations_server import Fault, Server
from tests.sessions.conversations.conversations import Make, numbered, texts
from turnlog import OpenAIConversationsSession
from turnlog.sessions.conversations import retrying

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_FIRST", 0.01)


@pytest.mark.parametrize(("limit", "place"), [(None, 99), (250, 150)])
async def test_the_last_item_of_a_page_is_deleted_during_a_read(
    session: OpenAIConversationsSession, server: Server, limit: int | None, place: int
) -> None:
    await session.add_items(numbered(250))
    server.requests.clear()

    def delete(method: str, path: str) -> None:
        if server.count("GET") == 2 and len(server.only.items) == 250:
            del server.only.items[place]

    server.before = delete
    items = await session.get_items(limit)
    assert texts(items) == [str(n) for n in range(250) if n != place]


async def test_a_read_that_never_gets_on_ends(
    session: OpenAIConversationsSession, server: Server
) -> None:
    await session.add_items(numbered(250))
    cursors: list[str] = []

    def delete(method: str, path: str) -> None:
        after = server.requests[-1][2].get("after")
        if after:
            cursors.append(after)
            server.only.items = [each for each in server.only.items if each["id"] != after]

    server.before = delete
    with pytest.raises(BadRequestError):
        await session.get_items()
    assert len(cursors) == 5


@pytest.mark.parametrize("read", ["pop", "limit"])
async def test_old_words_are_not_taken_for_new_ones(make: Make, server: Server, read: str) -> None:
    """The newest item, all that was read last, is gone: what lies before it is old all the same."""
    first = make()
    await first.add_items([{"role": "user", "content": "yes"}, *numbered(3)])
    session: Any = make(first.session_id)
    await (session.pop_item() if read == "pop" else session.get_items(1))
    server.fail(Fault("cut"))
    server.before = lambda method, path: _drop_after_yes(server, method)
    await session.add_items([{"role": "user", "content": "yes"}])
    assert texts(server.only.items) == ["yes", "yes"]


def _drop_after_yes(server: Server, method: str) -> None:
    """Another writer removes everything but the first item, just before the request."""
    if method == "POST":
        del server.only.items[1:]
        server.before = lambda method, path: None
