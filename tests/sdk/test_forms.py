"""What models are told of tools and handoffs, beside what the OpenAI Agents SDK tells them."""

import warnings
from collections.abc import Callable
from typing import Any, Literal

import agents
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from tests.providers.openai_server import Reply, serving
from turnlog import Agent, Runner, SQLiteSession
from turnlog.agents.handoffs import handoff, transfer_message
from turnlog.agents.models.openai.responses import OpenAIResponsesModel
from turnlog.agents.output import OutputType
from turnlog.agents.tools.tool import function_tool
from turnlog.items.json import Item

pytestmark = pytest.mark.anyio

REASONING: Item = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "x"}
SEARCH: Item = {
    "id": "ws_1",
    "type": "web_search_call",
    "status": "completed",
    "action": {"type": "search", "query": "rain", "queries": ["rain"]},
}
SAID: Item = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "phase": "final_answer",
    "content": [
        {
            "type": "output_text",
            "text": "Rain.",
            "annotations": [
                {
                    "type": "url_citation",
                    "url": "https://a.b",
                    "title": "A",
                    "start_index": 0,
                    "end_index": 1,
                }
            ],
            "logprobs": [],
        }
    ],
}


class Place(BaseModel):
    name: str
    tags: list[str] = []


def google(city: str, days: int = 3, unit: Literal["C", "F"] = "C") -> str:
    """Tell the weather.

    Any city will do.

    Args:
        city: Where.
        days: How many.
    """
    return city


def numpy(city: str, days: int | None = None) -> str:
    """Tell the weather.

    Parameters
    ----------
    city : str
        Where.
    days : int, optional
        How many.
    """
    return city


def sphinx(place: Place, others: list[Place]) -> str:
    """Tell the weather.

    :param place: Where.
    :param others: Where else.
    """
    return place.name


def bare() -> None: ...


def _without_defaults(schema: Any) -> Any:
    # Ours are left out: some providers refuse them in a strict schema.
    if isinstance(schema, list):
        return [_without_defaults(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _without_defaults(value) for key, value in schema.items() if key != "default"}


@pytest.mark.parametrize("function", [google, numpy, sphinx, bare])
def test_tools_look_the_same(function: Callable[..., Any]) -> None:
    ours, theirs = function_tool(function), agents.function_tool(function)
    assert (ours.name, ours.description) == (theirs.name, theirs.description)
    assert ours.params_json_schema == _without_defaults(theirs.params_json_schema)


@pytest.mark.parametrize("name", ["Refund Agent", "a-b", "Billing & Refunds", "x_1"])
def test_handoffs_are_called_the_same(name: str) -> None:
    other = agents.Agent(name=name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = agents.handoff(other)
    ours = handoff(Agent(name))
    assert ours.tool_name == theirs.tool_name
    assert transfer_message(ours.agent_name) == theirs.get_transfer_message(other)
    assert ours.input_json_schema == theirs.input_json_schema


@pytest.mark.parametrize("streamed", [False, True])
async def test_answers_are_stored_the_same(streamed: bool) -> None:
    """The same answer of the same server, stored by the SDK's runner and by ours."""
    theirs, ours = SQLiteSession("theirs"), SQLiteSession("ours")
    with serving() as server:
        server.says(*[Reply([REASONING, SEARCH, SAID])] * 2)
        async with AsyncOpenAI(api_key="k", base_url=server.url) as client:
            model = agents.OpenAIResponsesModel("gpt-5", client)
            agent = agents.Agent("A", model=model)
            config = agents.RunConfig(tracing_disabled=True)
            if streamed:
                run = agents.Runner.run_streamed(agent, "hi", session=theirs, run_config=config)
                async for _ in run.stream_events():
                    pass
            else:
                await agents.Runner.run(agent, "hi", session=theirs, run_config=config)
            own = OpenAIResponsesModel("gpt-5", client)
            await Runner.run(Agent("A", model=own), "hi", session=ours)
    assert await ours.get_items() == await theirs.get_items()


@pytest.mark.parametrize("kind", [Place, int, list[str], list[Place]])
def test_output_types_look_the_same(kind: Any) -> None:
    ours, theirs = OutputType.of(kind), agents.AgentOutputSchema(kind)
    assert ours is not None
    schema = _without_defaults(theirs.json_schema())
    assert {**ours.schema, "title": schema["title"]} == schema
