"""What came of a run."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar, cast

from turnlog.agents.agent import Agent
from turnlog.agents.models.model import Usage
from turnlog.items.json import Item
from turnlog.items.text import joined_text, refusal_in

__all__ = [
    "HandoffCallItem",
    "HandoffOutputItem",
    "MessageOutputItem",
    "ReasoningItem",
    "RunItem",
    "RunResult",
    "ToolCallItem",
    "ToolCallOutputItem",
    "run_item",
]


T = TypeVar("T")


@dataclass(frozen=True)
class RunItem:
    """One item that a run brought about, and who did."""

    agent: Agent
    raw_item: Item

    type: ClassVar[str] = "item"

    def to_input_item(self) -> Item:
        """A copy, fit to be shown to a model."""
        return copy.deepcopy(self.raw_item)


@dataclass(frozen=True)
class MessageOutputItem(RunItem):
    """A message of the model."""

    type: ClassVar[str] = "message_output_item"

    @property
    def text(self) -> str:
        """What the message says, or with what words the model refused to."""
        content = self.raw_item.get("content")
        return joined_text(content) or refusal_in(content)


@dataclass(frozen=True)
class ReasoningItem(RunItem):
    """What the model thought, as far as the provider tells."""

    type: ClassVar[str] = "reasoning_item"


@dataclass(frozen=True)
class ToolCallItem(RunItem):
    """A call of a tool, ours or one that the provider runs itself."""

    type: ClassVar[str] = "tool_call_item"

    @property
    def tool_name(self) -> str | None:
        """Which tool; None for those that have no name."""
        return self.raw_item.get("name")

    @property
    def call_id(self) -> str | None:
        """What ties the call and its output together."""
        return self.raw_item.get("call_id")


@dataclass(frozen=True)
class ToolCallOutputItem(RunItem):
    """What a tool gave."""

    type: ClassVar[str] = "tool_call_output_item"

    @property
    def output(self) -> Any:
        """What the model is shown of it."""
        return self.raw_item.get("output")

    @property
    def call_id(self) -> str | None:
        """What ties the call and its output together."""
        return self.raw_item.get("call_id")


@dataclass(frozen=True)
class HandoffCallItem(RunItem):
    """The model's wish to hand the conversation over."""

    type: ClassVar[str] = "handoff_call_item"


@dataclass(frozen=True)
class HandoffOutputItem(RunItem):
    """The handing over. `agent` is who handed over."""

    target_agent: Agent | None = None

    type: ClassVar[str] = "handoff_output_item"

    @property
    def source_agent(self) -> Agent:
        """Who handed over."""
        return self.agent


@dataclass(frozen=True)
class RunResult:
    """What came of a run.

    input: the new input of the run, as items.
    new_items: what the run brought about, in order.
    final_output: the text of the last message, "" if there was none; or a value of the
        last agent's `output_type`.
    last_agent: who answered.
    branch: where the run was stored, if its policy put it on a branch of its own.
    """

    input: list[Item]
    new_items: list[RunItem]
    final_output: Any
    last_agent: Agent
    usage: Usage
    branch: str | None = None

    def final_output_as(self, kind: type[T], *, raise_if_incorrect_type: bool = False) -> T:
        """The final output, for the type checker; raises `TypeError` if it is to be checked."""
        if raise_if_incorrect_type and not isinstance(self.final_output, kind):
            raise TypeError(f"the final output is no {kind.__name__}")
        return cast("T", self.final_output)

    def to_input_list(self) -> list[Item]:
        """The new input and what came of it, as input for a further run without a session."""
        return [*copy.deepcopy(self.input), *(item.to_input_item() for item in self.new_items)]


def run_item(agent: Agent, raw_item: Item, *, is_handoff: bool = False) -> RunItem:
    """`raw_item` in the class that its type calls for; without a type, it is a message."""
    if is_handoff:
        return HandoffCallItem(agent, raw_item)
    kind = raw_item.get("type", "message")
    if kind in _KINDS:
        return _KINDS[kind](agent, raw_item)
    return ToolCallItem(agent, raw_item) if kind.endswith("_call") else RunItem(agent, raw_item)


_KINDS: dict[str, type[RunItem]] = {
    "message": MessageOutputItem,
    "reasoning": ReasoningItem,
    "function_call": ToolCallItem,
    "function_call_output": ToolCallOutputItem,
}
