"""What came of a run."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from turnlog.agents.agent import Agent
from turnlog.agents.model import Usage
from turnlog.items import Item

__all__ = ["MessageOutputItem", "RunItem", "RunResult", "run_item"]


@dataclass(frozen=True)
class RunItem:
    """One item that a run brought about, and who did."""

    agent: Agent
    raw_item: Item

    def to_input_item(self) -> Item:
        """A copy, fit to be shown to a model."""
        return copy.deepcopy(self.raw_item)


@dataclass(frozen=True)
class MessageOutputItem(RunItem):
    """A message of the model."""

    @property
    def text(self) -> str:
        """What the message says; parts that are not text are left out."""
        content = self.raw_item.get("content")
        if isinstance(content, str):
            return content
        parts = [part for part in content or () if isinstance(part, dict)]
        return "".join(p.get("text", "") for p in parts if p.get("type") == "output_text")


@dataclass(frozen=True)
class RunResult:
    """What came of a run.

    input: the new input of the run, as items.
    new_items: what the run brought about, in order.
    """

    input: list[Item]
    new_items: list[RunItem]
    last_agent: Agent
    usage: Usage

    @property
    def final_output(self) -> str:
        """The text of the last message; "" if there was none."""
        messages = [item for item in self.new_items if isinstance(item, MessageOutputItem)]
        return messages[-1].text if messages else ""

    def to_input_list(self) -> list[Item]:
        """The new input and what came of it, as input for a further run without a session."""
        return [*copy.deepcopy(self.input), *(item.to_input_item() for item in self.new_items)]


def run_item(agent: Agent, raw_item: Item) -> RunItem:
    """`raw_item` in the class that its type calls for; without a type, it is a message."""
    kind = MessageOutputItem if raw_item.get("type", "message") == "message" else RunItem
    return kind(agent, raw_item)
