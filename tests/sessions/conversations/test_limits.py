"""Large items, long conversations and cancellations at the Conversations API."""

import asyncio
from typing import Any

import pytest
from openai import APIStatusError

from tests.providers.conversations_server import Fault, Server
from tests.sessions.conversations.conversations import numbered, texts
from turnlog import IncompleteAppend, OpenAIConversationsSession
from turnlog.sessions.conversations import appending, retrying

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_FIRST", 0.01)


def stored(server: Server) -> list[str]:
    return texts(server.only.items)


async def test_large_items_go_in_requests_of_their_own(
    session: OpenAIConversationsSession, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appending, "_MOST_BYTES", 1000)
    sizes = [400, 400, 400, 5000, 10, 10, 900, 900]
    items = [{"role": "user", "content": f"{n}" * size} for n, size in enumerate(sizes)]
    await session.add_items(items[:4])
    server.fail(Fault("cut", is_done=True), Fault("cut", is_done=True))
    await session.add_items(items[4:])
    sent = [len(body["items"]) for method, _, body in server.requests if method == "POST"]
    assert sent == [2, 1, 1, 2, 1, 1]
    assert [len(text) for text in stored(server)] == sizes


@pytest.mark.parametrize("status", [413, 400])
async def test_an_item_that_is_too_large_for_the_api(
    session: OpenAIConversationsSession, server: Server, status: int
) -> None:
    await session.add_items(numbered(1))
    server.faults = {2: Fault(status), 3: Fault(status)}
    with pytest.raises(IncompleteAppend) as caught:
        await session.add_items(numbered(30, 1))
    assert isinstance(caught.value.__cause__, APIStatusError)
    with pytest.raises(APIStatusError):  # so that a loop which passes the rest on ends
        await session.add_items(caught.value.remaining)
    await session.add_items(caught.value.remaining)
    assert stored(server) == [str(n) for n in range(31)]


async def test_ten_thousand_items(session: OpenAIConversationsSession, server: Server) -> None:
    await session.add_items(numbered(1))
    server.answer("POST", ["conversations", session.session_id, "items"], {}, {"items": ITEM})
    server.only.items += [
        {**server.only.items[0], "id": f"msg_{n}", "content": [_text(n)]} for n in range(2, 10_000)
    ]
    server.requests.clear()
    assert len(await session.get_items()) == 10_000
    assert len(server.requests) == 100
    assert texts(await session.get_items(150))[0] == "9850"
    assert texts(await session.view(1)) == ["9999"]


ITEM = [{"type": "message", "role": "user", "content": "1"}]


def _text(number: int) -> dict[str, str]:
    return {"type": "input_text", "text": f"{number}"}


@pytest.mark.parametrize("at", range(8))
async def test_a_cancellation_at_each_request(
    session: OpenAIConversationsSession, server: Server, at: int
) -> None:
    """Of a read of the end, of a write, and of a wait between tries."""
    await session.add_items(numbered(1))
    server.faults = {2: Fault(503, is_done=True), 4: Fault("cut")}
    start = len(server.requests)
    loop = asyncio.get_running_loop()
    reached = asyncio.Event()

    def before(method: str, path: str) -> None:
        if len(server.requests) == start + at + 1:
            loop.call_soon_threadsafe(reached.set)

    server.before = before
    task = asyncio.create_task(session.add_items(numbered(80, 1)))
    await asyncio.wait([task, asyncio.create_task(reached.wait())], return_when="FIRST_COMPLETED")
    task.cancel()
    left: Any = numbered(80, 1)
    try:
        await task
        left = []
    except asyncio.CancelledError as error:
        if error.__cause__ is None:
            left = []
        elif isinstance(error.__cause__, IncompleteAppend):
            left = error.__cause__.remaining
    server.faults.clear()
    await session.add_items(left)
    assert stored(server) == [str(n) for n in range(81)]
