"""How agents, settings and results print: in one line, and without secrets."""

from dataclasses import dataclass

import pytest

from turnlog import (
    Agent,
    AsyncOpenAI,
    ModelRequest,
    ModelResponse,
    ModelSettings,
    OpenAIResponsesModel,
    RunConfig,
    Runner,
    SessionSettings,
    function_tool,
    handoff,
)
from turnlog.agents import OfflineModel

pytestmark = pytest.mark.anyio

HIDDEN = "sk-very-hidden"


@function_tool
def weather(city: str) -> str:
    """Tells the weather."""
    return city


@dataclass
class OwnModel:
    api_key: str

    async def respond(self, request: ModelRequest) -> ModelResponse:
        raise NotImplementedError


async def test_a_result_is_one_short_line() -> None:
    result = await Runner.run(Agent("Assistant", model=OfflineModel()), "My name is Alice.")
    assert repr(result) == str(result)
    assert repr(result).startswith("RunResult(")
    assert repr(result).endswith(", items=1, agent='Assistant', tokens=0)")
    long = await Runner.run(Agent("Assistant", model=OfflineModel()), "word\n" * 1000)
    assert len(repr(long)) < 150
    assert "\n" not in repr(long)


async def test_a_streamed_result_says_whether_it_is_complete() -> None:
    result = Runner.run_streamed(Agent("Assistant", model=OfflineModel()), "Hi")
    assert repr(result) == (
        "RunResultStreaming(None, items=0, agent='Assistant', tokens=0, is_complete=False)"
    )
    async for _ in result:
        pass
    assert repr(result).endswith(", items=1, agent='Assistant', tokens=0, is_complete=True)")


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        (Agent("A", "You keep secrets."), "Agent('A')"),
        (
            Agent("A", model="gpt-5-mini", tools=[weather]),
            "Agent('A', model='gpt-5-mini', tools=['weather'])",
        ),
        (
            Agent("A", handoffs=[Agent("B"), handoff(Agent("C"))], output_type=int),
            "Agent('A', handoffs=['B', 'C'], output_type=int)",
        ),
        (Agent("A", model=OwnModel(HIDDEN)), "Agent('A', model=<OwnModel>)"),
    ],
    ids=["plain", "tools", "handoffs", "a model of one's own"],
)
def test_an_agent_says_what_it_is_made_of(agent: Agent, shown: str) -> None:
    assert repr(agent) == shown


def test_settings_show_what_was_set_and_no_secret() -> None:
    model = OpenAIResponsesModel("gpt-5-mini", AsyncOpenAI(api_key=HIDDEN))
    settings = ModelSettings(extra_headers={"Authorization": HIDDEN})
    config = RunConfig(
        model=model,
        model_settings=settings,
        key=HIDDEN,
        session_settings=SessionSettings(limit=3),
        session_input_callback=lambda history, new: history + new,
    )
    assert repr(RunConfig()) == "RunConfig()"
    assert "OpenAIResponsesModel('gpt-5-mini')" in repr(config)
    assert "key=…" in repr(config)
    assert "<lambda>" in repr(config)
    assert HIDDEN not in repr(config) + repr(Agent("A", model=model, model_settings=settings))
    assert HIDDEN not in repr(RunConfig(model=OwnModel(HIDDEN)))
