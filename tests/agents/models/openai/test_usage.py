"""Usage that servers report: counted through the real client, also of answers that fail."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from openai import AsyncOpenAI

from tests.agents.models.openai.samples import both, completed
from tests.agents.ways import streamed as streamed_run
from tests.providers.openai_events import chat_events, completion, response
from tests.providers.openai_server import Raw, Reply, Server
from turnlog import (
    Agent,
    ModelBehaviorError,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    StoredSession,
    Usage,
)
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

#: What the server says it was.
SPENT = Usage(20, 7, 5, 3, 1)

kinds = pytest.mark.parametrize("kind", [OpenAIResponsesModel, OpenAIChatCompletionsModel])


def ran(*, streamed: bool) -> Callable[..., Any]:
    return streamed_run if streamed else Runner.run


@both
@kinds
async def test_a_run_records_what_the_server_sent(
    server: Server, client: AsyncOpenAI, kind: Any, streamed: bool
) -> None:
    server.says(*[Reply([completed("yes")], {"content": "yes"})] * 2)
    session = StoredSession("session", MemoryStore())
    agent = Agent("Ann", model=kind("gpt-5", client))
    for _ in range(2):
        result = await ran(streamed=streamed)(agent, "go", session=session)
        assert result.usage == SPENT
    assert await session.usage("turn") == {1: SPENT, 2: SPENT}
    assert await session.usage("model") == {"gpt-5": SPENT + SPENT}
    total = await session.usage()
    assert total.input_details == {"cached_tokens": 10}
    assert total.output_details == {"reasoning_tokens": 6}


def _failed(kind: Any, *, streamed: bool) -> Raw:
    """An answer that has usage and can't be used."""
    body: dict[str, Any] = {"model": "gpt-5"}
    if kind is OpenAIResponsesModel:
        usage = response([], body, "completed")["usage"]
        failed = {**response([], body, "failed"), "usage": usage}
        event = {"type": "response.failed", "sequence_number": 0, "response": failed}
        whole, events = failed, [f"event: response.failed\ndata: {json.dumps(event)}\n\n"]
    else:
        whole = {**completion({}, body, "completed"), "choices": []}
        body["stream_options"] = {"include_usage": True}
        # The chunks with the message are missing, the one with the usage is there.
        events = list(chat_events({}, body, "completed"))[-2:]
    if streamed:
        return Raw("".join(events).encode(), "text/event-stream")
    return Raw(json.dumps(whole).encode())


@both
@kinds
async def test_an_answer_that_fails_has_cost_something(
    server: Server, client: AsyncOpenAI, kind: Any, streamed: bool
) -> None:
    server.says(_failed(kind, streamed=streamed))
    session = StoredSession("session", MemoryStore())
    with pytest.raises(ModelBehaviorError):
        await ran(streamed=streamed)(
            Agent("Ann", model=kind("gpt-5", client)), "go", session=session
        )
    assert await session.usage("turn") == {1: SPENT}


@both
async def test_turns_by_hand_with_the_real_client(
    server: Server, client: AsyncOpenAI, streamed: bool
) -> None:
    session = StoredSession("session", MemoryStore())
    server.says(Reply([completed("yes")]), Reply(message={"content": "yes"}))
    async with session.turn("q1") as turn:
        options: Any = {"model": "gpt-5", "input": turn.input, "store": False}
        if streamed:
            async with client.responses.stream(**options) as events:
                answered: Any = await events.get_final_response()
        else:
            answered = await client.responses.create(**options)
        await turn.add(answered.output, usage=answered.usage)
    async with session.turn("q2") as turn:
        said = await client.chat.completions.create(model="gpt-5", messages=[])
        await turn.add([{"role": "assistant", "content": "yes"}], usage=said.usage)
    assert await session.usage("turn") == {1: SPENT, 2: SPENT}
