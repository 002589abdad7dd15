"""Handoffs to another agent."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.fake_models import Echo
from tests.providers.openai_rules import check_strict
from tests.sample_items import user
from turnlog import Agent, Runner
from turnlog.agents.context import RunContextWrapper
from turnlog.agents.handoffs import HandoffInputData, handoff, handoffs_of, transfer_message
from turnlog.errors import ModelBehaviorError

pytestmark = pytest.mark.anyio

CONTEXT = RunContextWrapper("the context")
BILLING = Agent("Billing & Refunds")


@dataclass
class Reason:
    why: str
    urgent: bool = False


async def test_an_agent_is_a_tool_of_the_one_that_hands_over() -> None:
    made = handoff(BILLING)
    assert made.tool_name == "transfer_to_billing___refunds"
    assert "Billing & Refunds" in made.tool_description
    assert made.agent_name == "Billing & Refunds"
    assert made.definition.parameters["properties"] == {}
    check_strict(made.definition.parameters, made.tool_name)
    assert await made.on_invoke_handoff(CONTEXT, "") is BILLING
    assert transfer_message(made.agent_name) == '{"assistant": "Billing & Refunds"}'


def test_what_a_model_is_told_can_be_overridden() -> None:
    made = handoff(BILLING, "to_billing", "For money.", is_enabled=False)
    assert (made.tool_name, made.tool_description) == ("to_billing", "For money.")
    assert made.is_enabled is False


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_what_the_model_gives_along_is_checked_and_told(asynchronous: bool) -> None:
    told: list[object] = []

    def tell(ctx: RunContextWrapper[Any], reason: Reason) -> None:
        told.extend([ctx.context, reason])

    async def later(ctx: RunContextWrapper[Any], reason: Reason) -> None:
        tell(ctx, reason)

    made = handoff(BILLING, on_handoff=later if asynchronous else tell, input_type=Reason)
    check_strict(made.definition.parameters, made.tool_name)
    assert await made.on_invoke_handoff(CONTEXT, '{"why": "late"}') is BILLING
    assert told == ["the context", Reason("late")]
    with pytest.raises(ModelBehaviorError, match=r"doesn't fit its type \(problems: 1\)") as caught:
        await made.on_invoke_handoff(CONTEXT, '{"why": ["a secret"]}')
    assert "secret" not in str(caught.value)
    assert len(told) == 2


async def test_a_callback_without_input_gets_the_context() -> None:
    told: list[object] = []
    made = handoff(BILLING, on_handoff=told.append)
    await made.on_invoke_handoff(CONTEXT, "{}")
    assert told == [CONTEXT]


def test_callback_and_input_go_together() -> None:
    with pytest.raises(TypeError, match="input_type needs on_handoff"):
        handoff(BILLING, input_type=Reason)
    with pytest.raises(TypeError, match="must take 2 arguments"):
        handoff(BILLING, on_handoff=lambda ctx: None, input_type=Reason)
    with pytest.raises(TypeError, match="must take 1 argument"):
        handoff(BILLING, on_handoff=lambda ctx, reason: None)
    with pytest.raises(TypeError, match="must be an object type"):
        handoff(BILLING, on_handoff=lambda ctx, reason: None, input_type=int)


def test_a_filter_changes_a_copy() -> None:
    data = HandoffInputData((user("a"),), (), ())
    changed = data.clone(input_history=())
    assert (len(data.input_history), len(changed.input_history)) == (1, 0)


async def test_two_agents_may_hand_over_to_each_other() -> None:
    first, second = Agent("A", model=Echo()), Agent("B", model=Echo())
    for one, other in ((first, second), (second, first)):
        assert isinstance(one.handoffs, list)
        one.handoffs.append(other)
    offered = await handoffs_of(second, RunContextWrapper(None))
    assert list(offered) == ["transfer_to_a"]


async def test_what_is_no_handoff_is_named() -> None:
    wrong: Any = "Billing agent"
    with pytest.raises(TypeError, match=r"made by handoff\(…\), not a str"):
        await Runner.run(Agent("A", model=Echo(), handoffs=[wrong]), "go")
