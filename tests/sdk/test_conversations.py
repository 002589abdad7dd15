"""The SDK's Runner over a conversation at OpenAI: our session stores the same as the SDK's own."""

import copy
from collections.abc import Iterator
from typing import Any

import agents
import pytest
from agents import Agent, Runner
from agents.run_internal import model_retry
from agents.testing import ScriptedModel

from tests.providers.conversations_server import Server, serving
from tests.sdk.scripted_talks import STORIES, Talk, says
from turnlog import AsyncOpenAI, OpenAIConversationsSession

pytestmark = pytest.mark.anyio

#: It holds half a surrogate pair: the client can't send that, and ours sends U+FFFD instead.
UNSENDABLE = {"unicode"}


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(_delay: float) -> None:
        """Between retries of the SDK's Runner."""

    monkeypatch.setattr(model_retry, "_sleep_for_retry", at_once)


async def run(agent: Agent, text: Any, **options: Any) -> Any:
    return await Runner.run(agent, text, **options)


async def run_streamed(agent: Agent, text: Any, **options: Any) -> Any:
    result = Runner.run_streamed(agent, text, **options)
    async for _ in result.stream_events():
        pass
    return result


def _same(items: list[Any]) -> list[Any]:
    """The items without the ids that the server has drawn."""
    items = copy.deepcopy(items)
    for item in items:
        if item["type"] != "reasoning":
            del item["id"]
    return items


def _same_item(outcome: Any) -> Any:
    """An item that was popped, without what names it at the server and what is the default."""
    if not isinstance(outcome, dict):
        return outcome
    return {name: outcome[name] for name in outcome.keys() - {"id", "status"}}


@pytest.mark.parametrize("way", [run, run_streamed])
@pytest.mark.parametrize("story", sorted(STORIES.keys() - UNSENDABLE))
async def test_the_same_history(server: Server, story: str, way: Any) -> None:
    agents.set_tracing_disabled(disabled=True)
    stored, outcomes = [], []
    async with AsyncOpenAI(api_key="k", base_url=server.url) as client:
        for kind in (agents.OpenAIConversationsSession, OpenAIConversationsSession):
            server.conversations.clear()
            server.is_strict = kind is OpenAIConversationsSession
            talk = Talk(kind(openai_client=client), way)
            await STORIES[story](talk)
            stored.append([_same(each.items) for each in server.conversations.values()])
            outcomes.append(talk.outcomes)
    assert stored[1] == stored[0]
    assert [*map(_same_item, outcomes[1])] == [*map(_same_item, outcomes[0])]


async def test_it_is_recognised(server: Server) -> None:
    async with AsyncOpenAI(api_key="k", base_url=server.url) as client:
        session = OpenAIConversationsSession(client=client)
        assert isinstance(session, agents.OpenAIConversationsSession)

        class Own(OpenAIConversationsSession):
            """A class of a user."""

        assert isinstance(Own(client=client), agents.OpenAIConversationsSession)
        model = ScriptedModel()
        model.extend([says("Hi")])
        await Runner.run(Agent("A", model=model), "Hello", session=Own(client=client))
