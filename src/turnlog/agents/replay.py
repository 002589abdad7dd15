"""Replay: stored items of an earlier run as run items, with the agents that they came from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

from turnlog.agents.agent import Agent
from turnlog.agents.context import RunContextWrapper
from turnlog.agents.handoffs import Handoff, handoffs_of, transfer_message
from turnlog.agents.result import (
    HandoffOutputItem,
    MessageOutputItem,
    RunItem,
    ToolCallOutputItem,
    run_item,
)
from turnlog.items.json import Item

__all__ = ["replayed", "text_of_answer"]


async def replayed(
    agent: Agent, stored: Iterable[Item], context: RunContextWrapper[Any]
) -> AsyncIterator[RunItem]:
    """The items that a run which began with `agent` has stored. Nothing is called again.

    Behind a `HandoffOutputItem`, the items are of its `target_agent`.
    """
    offered = await handoffs_of(agent, context)
    called: dict[object, Handoff] = {}
    for raw in stored:
        call_id, name = raw.get("call_id"), raw.get("name")
        chosen = called.get(call_id)
        if raw.get("type") == "function_call" and name in offered:
            called[call_id] = offered[name]
            yield run_item(agent, raw, is_handoff=True)
        elif chosen is not None and _handed_over(raw, chosen):
            yield HandoffOutputItem(agent, raw, chosen.agent)
            agent, called = chosen.agent, {}
            offered = await handoffs_of(agent, context)
        else:
            yield run_item(agent, raw)


def text_of_answer(items: Iterable[RunItem]) -> str:
    """The text of the last message behind all outputs of tools and handoffs; "" without one."""
    text = ""
    for item in items:
        if isinstance(item, MessageOutputItem):
            text = item.text
        elif isinstance(item, HandoffOutputItem | ToolCallOutputItem):
            text = ""
    return text


def _handed_over(raw: Item, chosen: Handoff) -> bool:
    is_output = raw.get("type") == "function_call_output"
    return is_output and raw.get("output") == transfer_message(chosen.agent.name)
