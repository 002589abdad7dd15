"""Appends to a conversation at OpenAI whose outcome can't be known, or only after a longer look."""

import pickle
from typing import Any

import pytest

from tests.providers.conversations_server import Fault, Server
from tests.sessions.conversations.conversations import Make, numbered, texts
from turnlog import AppendUncertain, OpenAIConversationsSession
from turnlog.sessions.conversations import retrying
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_FIRST", 0.01)


def stored(server: Server) -> list[str]:
    return texts(server.only.items)


def _drop_all_known(server: Server, keep: int) -> None:
    """Other writers remove all but the first items, just before the request."""

    def drop(method: str, path: str) -> None:
        if method == "POST":
            del server.only.items[keep:]
            server.before = lambda *_: None

    server.before = drop


@pytest.mark.parametrize("way", ["plain", "key", "key and store"])
async def test_old_items_are_not_taken_for_new_ones_when_all_known_are_gone(
    make: Make, server: Server, way: str
) -> None:
    """Nobody can tell whether they are stored, so they are neither sent nor said to be stored."""
    first = make()
    await first.add_items([*numbered(1), *numbered(60, 100)])
    session = make(first.session_id, store=MemoryStore() if way == "key and store" else None)
    await session.get_items(20)
    server.fail(Fault("cut"))
    _drop_all_known(server, keep=1)
    more = {} if way == "plain" else {"key": "k"}
    for _ in range(2):
        with pytest.raises(AppendUncertain) as caught:
            await session.add_items(numbered(25), **more)
        assert stored(server) == ["0"]
        if way == "plain":
            break
    error = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert (len(error.stored), len(error.remaining), error.unknown) == (0, 25, 1)
    assert "without a key" in str(error)
    assert "'4'" not in repr(error) + str(error)
    await session.add_items(error.remaining[error.unknown :])
    assert stored(server) == [str(n) for n in range(25)]


async def test_items_that_are_nowhere_are_sent_although_all_known_are_gone(
    make: Make, server: Server
) -> None:
    first = make()
    await first.add_items(numbered(65))
    session = make(first.session_id)
    await session.get_items(20)
    server.fail(Fault("cut"))
    _drop_all_known(server, keep=5)
    await session.add_items(numbered(3, 100))
    assert stored(server) == [*"01234", "100", "101", "102"]


@pytest.mark.parametrize("is_done", [False, True])
async def test_a_conversation_that_was_known_whole(
    make: Make, server: Server, is_done: bool
) -> None:
    """Then all that is there is new for certain, also when all that was known is gone."""
    first = make()
    await first.add_items(numbered(5))
    session = make(first.session_id)
    await session.get_items()
    server.fail(Fault("cut", is_done))
    _drop_all_known(server, keep=0)
    await session.add_items(numbered(3, 2))
    assert stored(server) == ["2", "3", "4"]


@pytest.mark.parametrize("listed", [0, 1, 3])
async def test_an_answer_with_other_items_is_looked_at(
    session: OpenAIConversationsSession,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    listed: int,
) -> None:
    """Sent again are not those that the answer leaves out."""
    await session.add_items(numbered(1))
    answer = server.answer

    def shorter(method: str, path: list[str], query: Any, body: Any) -> Any:
        answered = answer(method, path, query, body)
        if method == "POST":
            answered["data"] = (answered["data"] * 2)[:listed]
        return answered

    monkeypatch.setattr(server, "answer", shorter)
    await session.add_items(numbered(2, 1))
    assert stored(server) == ["0", "1", "2"]
