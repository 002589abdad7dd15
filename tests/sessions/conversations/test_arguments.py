"""Wrong arguments of a conversation at OpenAI are refused before any request."""

from typing import Any

import pytest
from openai import OpenAI

from tests.providers.conversations_server import Server
from turnlog import AsyncOpenAI, OpenAIConversationsSession

pytestmark = pytest.mark.anyio

WRONG: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"conversation_id": 123}, TypeError, "a str or None, not an int"),
    ({"conversation_id": ""}, ValueError, "give None to create"),
    ({"store": "sqlite:///x.db"}, TypeError, "open_store"),
    ({"patience": "3"}, TypeError, "a number of seconds, not a str"),
    ({"patience": -1}, ValueError, "0 seconds or more"),
    ({"patience": float("nan")}, ValueError, "0 seconds or more"),
]


@pytest.mark.parametrize(("wrong", "kind", "text"), WRONG)
def test_the_constructor(wrong: dict[str, Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        OpenAIConversationsSession(**wrong)


@pytest.mark.parametrize("name", ["client", "openai_client"])
def test_a_client_that_blocks(name: str) -> None:
    blocking: Any = {name: OpenAI(api_key="sk-very-secret")}
    with pytest.raises(TypeError, match="must be an AsyncOpenAI") as caught:
        OpenAIConversationsSession(**blocking)
    assert "sk-" not in str(caught.value)


async def test_a_client_in_the_place_of_the_id(client: AsyncOpenAI) -> None:
    misplaced: Any = client
    with pytest.raises(
        TypeError, match="a str or None, not an AsyncOpenAI: give a client as client="
    ):
        OpenAIConversationsSession(misplaced)


async def test_the_id_that_is_assigned(session: OpenAIConversationsSession) -> None:
    with pytest.raises(ValueError, match="give None to create"):
        session.session_id = ""
    assert session.conversation_id is None


async def test_a_limit_that_is_no_int(session: OpenAIConversationsSession, server: Server) -> None:
    await session.add_items([{"role": "user", "content": "x"}] * 2)
    wrong: Any = 1.5
    with pytest.raises(TypeError):
        await session.get_items(wrong)
    assert server.count("GET") == 0
