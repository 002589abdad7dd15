"""Run results: the items of a run, and its final output."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar, cast

from turnlog.agents.agent import Agent
from turnlog.agents.models.model import Usage
from turnlog.agents.showing import shown_result
from turnlog.conversation.summaries.outcome import Compacted
from turnlog.conversation.usage.spending import Spending
from turnlog.items.json import Item, TResponseInputItem
from turnlog.items.text import joined_text, refusal_in

__all__ = [
    "HandoffCallItem",
    "HandoffOutputItem",
    "MessageOutputItem",
    "OtherItem",
    "ReasoningItem",
    "RunItem",
    "RunResult",
    "ToolCallItem",
    "ToolCallOutputItem",
    "run_item",
]


T = TypeVar("T")


@dataclass(frozen=True)
class _Item:
    """One item of a run, and the agent that it came from."""

    agent: Agent
    raw_item: Item

    def to_input_item(self) -> TResponseInputItem:
        """A copy of the item, as input for a model."""
        return copy.deepcopy(self.raw_item)


@dataclass(frozen=True)
class MessageOutputItem(_Item):
    """A message of the model."""

    type: ClassVar[Literal["message_output_item"]] = "message_output_item"

    @property
    def text(self) -> str:
        """The text of the message; of a refusal, the text of that."""
        content = self.raw_item.get("content")
        return joined_text(content) or refusal_in(content)


@dataclass(frozen=True)
class ReasoningItem(_Item):
    """The model's reasoning, as far as the provider shows it."""

    type: ClassVar[Literal["reasoning_item"]] = "reasoning_item"


@dataclass(frozen=True)
class ToolCallItem(_Item):
    """A call of a tool, one of the agent's or one that the provider runs."""

    type: ClassVar[Literal["tool_call_item"]] = "tool_call_item"

    @property
    def tool_name(self) -> str | None:
        """The name of the tool; None if it has none."""
        return self.raw_item.get("name")

    @property
    def call_id(self) -> str | None:
        """The id that a call and its output share."""
        return self.raw_item.get("call_id")


@dataclass(frozen=True)
class ToolCallOutputItem(_Item):
    """The output of a tool."""

    type: ClassVar[Literal["tool_call_output_item"]] = "tool_call_output_item"

    @property
    def output(self) -> Any:
        """The output as the model is shown it."""
        return self.raw_item.get("output")

    @property
    def call_id(self) -> str | None:
        """The id that a call and its output share."""
        return self.raw_item.get("call_id")


@dataclass(frozen=True)
class HandoffCallItem(_Item):
    """A call by which the model hands the conversation over."""

    type: ClassVar[Literal["handoff_call_item"]] = "handoff_call_item"


@dataclass(frozen=True)
class HandoffOutputItem(_Item):
    """The output of that call. `agent` is the one that handed over."""

    target_agent: Agent | None = None

    type: ClassVar[Literal["handoff_output_item"]] = "handoff_output_item"

    @property
    def source_agent(self) -> Agent:
        """The agent that handed over."""
        return self.agent


@dataclass(frozen=True)
class OtherItem(_Item):
    """An item of a kind that has no class here, such as a compaction of the provider's."""

    type: ClassVar[Literal["item"]] = "item"


#: An item of a run. Type checkers narrow it by `isinstance` and by `item.type == "…"`.
RunItem: TypeAlias = (
    MessageOutputItem
    | ReasoningItem
    | ToolCallItem
    | ToolCallOutputItem
    | HandoffCallItem
    | HandoffOutputItem
    | OtherItem
)


@dataclass(frozen=True)
class RunResult:
    """The outcome of a run.

    input: the new input of the run, as items.
    new_items: the items that came after it, in order.
    final_output: the text of the last message, "" if there was none; or a value of the
        last agent's `output_type`.
    last_agent: the agent that answered.
    usage: what the run has spent.
    branch: the branch on which the run was stored; None if the session has none.
    spending: the same by agent and model, as it is recorded on the session.
    compaction: the outcome of the compaction behind the run; None if none was due.
    is_replay: whether the answer was stored by an earlier start with the same key, so that nothing
        was asked and nothing spent.
    """

    input: list[Item]
    new_items: list[RunItem]
    final_output: Any
    last_agent: Agent
    usage: Usage
    branch: str | None = None
    spending: Spending = field(default_factory=Spending, repr=False, compare=False)
    compaction: Compacted | None = None
    is_replay: bool = False

    def __repr__(self) -> str:
        return shown_result(self)

    @property
    def run_id(self) -> str:
        """The id of the run, under which `session.usage("run")` shows it."""
        return self.spending.run

    def final_output_as(self, kind: type[T], *, raise_if_incorrect_type: bool = False) -> T:
        """The final output, typed for the type checker.

        raise_if_incorrect_type: check it, and raise `TypeError` if it is of another type.
        """
        if raise_if_incorrect_type and not isinstance(self.final_output, kind):
            raise TypeError(
                f"the final output is a {type(self.final_output).__name__}, not a {kind.__name__}"
            )
        return cast("T", self.final_output)

    def to_input_list(self) -> list[TResponseInputItem]:
        """The new input and the items after it, as input for a next run without a session."""
        return [*copy.deepcopy(self.input), *(item.to_input_item() for item in self.new_items)]


def run_item(agent: Agent, raw_item: Item, *, is_handoff: bool = False) -> RunItem:
    """`raw_item` as a run item of the class for its type; without a type, it is a message."""
    if is_handoff:
        return HandoffCallItem(agent, raw_item)
    kind = raw_item.get("type", "message")
    if kind in _KINDS:
        return _KINDS[kind](agent, raw_item)
    return ToolCallItem(agent, raw_item) if kind.endswith("_call") else OtherItem(agent, raw_item)


_KINDS: dict[str, type[RunItem]] = {
    "message": MessageOutputItem,
    "reasoning": ReasoningItem,
    "function_call": ToolCallItem,
    "function_call_output": ToolCallOutputItem,
}
