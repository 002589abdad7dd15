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


@pytest.mark.parametrize("is_done", [False, True])
@pytest.mark.parametrize("status", [500, 401])
async def test_the_look_fails_as_well(
    make: Make, server: Server, is_done: bool, status: int
) -> None:
    """Then nobody knows whether the item is gone."""
    session = make(patience=0)
    await session.add_items(numbered(3))
    server.fail(Fault("cut", is_done))
    server.read_faults = dict.fromkeys(range(1, 10), Fault(status))
    with pytest.raises(PopUncertain, match="can't be known"):
        await session.pop_item()
    assert texts(server.only.items) == [str(n) for n in range(3 - is_done)]


async def test_a_look_that_fails_at_first(make: Make, server: Server) -> None:
    session = make()
    await session.add_items(numbered(3))
    server.fail(Fault(503))
    server.read_faults = dict.fromkeys(range(1, 5), Fault(503))
    item = await session.pop_item()
    assert item
    assert texts([item]) == ["2"]
