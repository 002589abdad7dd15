"""What is no mistake: subclasses, classes of one's own, mocks, and items of other formats."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import AsyncMock, MagicMock

import openai
import pytest

from tests.fake_models import Echo, Script
from tests.sample_items import answer, user
from turnlog import (
    Agent,
    InvalidItem,
    ModelResponse,
    OpenAIChatCompletionsModel,
    OpenAIConversationsSession,
    OpenAIResponsesModel,
    RedisSession,
    RunConfig,
    Runner,
    SQLiteSession,
)
from turnlog.items.json import Item

pytestmark = pytest.mark.anyio


class Remembering:
    """A session with the methods that a run calls, and no more."""

    def __init__(self) -> None:
        self.items: list[Item] = []

    async def get_items(self, limit: int | None = None) -> list[Item]:
        return self.items

    async def add_items(self, items: list[Item]) -> None:
        self.items += items


class OwnAgent(Agent[None]):
    """A subclass."""


async def test_whatever_has_the_methods_that_a_run_calls_is_a_session() -> None:
    mock = AsyncMock(spec=["get_items", "add_items", "pop_item", "clear_session"])
    mock.get_items = AsyncMock(return_value=[])
    mock.add_items = AsyncMock(return_value=None)
    for session in (Remembering(), mock):
        agent = OwnAgent("helper", model=Echo())
        given: Any = session
        assert (await Runner.run(agent, "hi", session=given)).final_output == "saw 1"


async def test_a_mock_of_a_model_is_asked() -> None:
    model = AsyncMock()
    model.respond.return_value = ModelResponse([answer("mocked")])
    del model.stream
    result = await Runner.run(Agent("helper", model=model), "hi")
    assert result.final_output == "mocked"


def test_mocks_of_clients_are_taken() -> None:
    for client in (AsyncMock(), MagicMock(), AsyncMock(spec=openai.AsyncOpenAI(api_key="x"))):
        OpenAIResponsesModel("any", client)
        OpenAIChatCompletionsModel("any", client)
        OpenAIConversationsSession(client=client)
    RedisSession("user_123", AsyncMock())


#: What people store beside messages in the format of today, and what only some providers refuse.
KEPT: list[Item] = [
    {"role": "user", "content": ""},
    {"role": "user", "content": []},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]},
    {"role": "assistant"},
    {"role": "tool", "tool_call_id": "1", "content": "seen"},
    {"role": "function", "name": "look", "content": "seen"},
    {"role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
    {"type": "message", "role": "critic", "content": "good"},
    {"type": "message", "role": "model", "status": "completed", "content": []},
    {"type": "message", "status": "completed", "role": "user"},
    {"type": "reasoning", "summary": []},
    {"type": "of next year", "role": "someone", "content": 5},
    {"id": "item_1"},
    {"note": "anything"},
    {"content": "without a role or a type"},
    {"type": "", "content": "hi"},
    {"role": "user", "content": {"type": "input_text", "text": "a part alone"}},
    {},
]


@pytest.mark.parametrize("item", KEPT, ids=[str(item) for item in KEPT])
async def test_an_item_that_some_provider_takes_is_stored_as_it_is(item: Item) -> None:
    session = SQLiteSession("user_123")
    await session.add_items([item])
    assert await session.get_items() == [item]


@pytest.mark.parametrize("item", [{"role": "user"}, {"role": "bot", "content": "hi"}], ids=str)
async def test_strict_false_stores_what_every_provider_refuses(item: Item) -> None:
    session = SQLiteSession("user_123")
    with pytest.raises(InvalidItem):
        await session.add_items([user("hi"), item])
    assert await session.get_items() == []
    await session.add_items([user("hi"), item], strict=False)
    assert await session.get_items() == [user("hi"), item]


async def test_any_iterable_with_an_order_is_a_list_of_items() -> None:
    def one_by_one() -> Iterator[Item]:
        yield user("one")
        yield user("two")

    session = SQLiteSession("user_123")
    await session.add_items(one_by_one())
    await session.add_items((user("three"),))
    await session.add_items({"key": user("four")}.values())
    assert await session.get_items() == [user(each) for each in ("one", "two", "three", "four")]


@pytest.mark.parametrize("policy", ["queue", "off"])
async def test_what_a_model_answers_is_never_refused(policy: Any) -> None:
    """It is paid for, and the next request is repaired on its way."""
    odd = {"role": "bot", "content": "hi"}
    session = SQLiteSession("user_123")
    agent = Agent("helper", model=Script([odd, answer("hello")], [answer("again")]))
    await Runner.run(agent, "hi", session=session, run_config=RunConfig(session_policy=policy))
    assert await session.get_items() == [user("hi"), odd, answer("hello")]
    await Runner.run(agent, "and now?", session=session)
    async with session.turn("more", policy=policy) as turn:
        await turn.add([odd, answer("done")])
    assert (await session.get_items())[-2:] == [odd, answer("done")]
