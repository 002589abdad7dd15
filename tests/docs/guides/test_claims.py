"""What the guides say in words, and no printed program shows."""

import asyncio
from dataclasses import dataclass, field

import pytest
from pydantic import BaseModel

from turnlog import (
    Agent,
    Item,
    KeyReused,
    LeaseLost,
    ModelBehaviorError,
    ModelRequest,
    ModelResponse,
    OfflineModel,
    Runner,
    SQLiteSession,
    StoreClosed,
    StoredSession,
)
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

OFFLINE = Agent("Assistant", model=OfflineModel())


@dataclass
class Waiting:
    """A model that answers when it is told to."""

    text: str = "Hello."
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)
    times: int = 0

    async def respond(self, request: ModelRequest) -> ModelResponse:
        self.times += 1
        self.asked.set()
        await self.may_answer.wait()
        part = {"type": "output_text", "text": self.text, "annotations": []}
        return ModelResponse([{"type": "message", "role": "assistant", "content": [part]}])


class Refund(BaseModel):
    order: int


def tool_call(name: str) -> Item:
    return {"type": "function_call", "call_id": "1", "name": name, "arguments": "{}"}


async def test_deleting_a_conversation_ends_the_run_on_it() -> None:
    model, store = Waiting(), MemoryStore()
    run = asyncio.create_task(
        Runner.run(Agent("A", model=model), "Hi", session=StoredSession("alice/1", store))
    )
    await model.asked.wait()
    await store.delete("alice/1")
    model.may_answer.set()
    with pytest.raises(LeaseLost):
        await run
    assert await store.sessions() == []


async def test_a_store_that_is_closed_under_a_run_makes_it_fail() -> None:
    model, store = Waiting(), MemoryStore()
    run = asyncio.create_task(
        Runner.run(Agent("A", model=model), "Hi", session=StoredSession("alice/1", store))
    )
    await model.asked.wait()
    await store.aclose()
    model.may_answer.set()
    with pytest.raises(StoreClosed):
        await run


async def test_an_answer_that_does_not_fit_is_stored_and_ends_the_turn() -> None:
    model = Waiting("no JSON")
    model.may_answer.set()
    agent, session = Agent("A", model=model, output_type=Refund), SQLiteSession("user_123")
    for _ in range(2):
        with pytest.raises(ModelBehaviorError):
            await Runner.run(agent, "Order 7", session=session)
    assert len(await session.turns()) == 2
    for _ in range(2):
        with pytest.raises(ModelBehaviorError):
            await Runner.run(agent, "Order 7", session=session, key="request")
    assert model.times == len(await session.turns()) == 3


async def test_a_cleared_conversation_begins_anew_under_the_same_keys() -> None:
    session = SQLiteSession("notebook")
    for _ in range(2):
        result = await Runner.run(OFFLINE, "Hi", session=session, key="cell 1")
        assert not result.is_replay
        await session.clear_session()


async def test_a_key_belongs_to_one_question() -> None:
    session = SQLiteSession("notebook")
    await Runner.run(OFFLINE, "Hi", session=session, key="cell 1")
    with pytest.raises(KeyReused):
        await Runner.run(OFFLINE, "Hello", session=session, key="cell 1")


async def test_a_limit_of_get_items_may_part_a_call_from_its_output_and_a_view_may_not() -> None:
    session = SQLiteSession("user_123")
    output = {"type": "function_call_output", "call_id": "1", "output": "Rain"}
    answer = {"role": "assistant", "content": "It rains."}
    question = {"role": "user", "content": "Weather?"}
    items = [question, tool_call("weather"), output, answer]
    await session.add_items([*items, question, answer])
    assert (await session.get_items(4))[0] == output
    assert await session.view(4) == [question, answer]
