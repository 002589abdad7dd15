"""Stream events: what a run reports while it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from turnlog.agents.agent import Agent
from turnlog.agents.models.model import TextDelta
from turnlog.agents.result import RunItem

__all__ = [
    "AgentUpdatedStreamEvent",
    "RawResponsesStreamEvent",
    "RunItemStreamEvent",
    "StreamEvent",
]


@dataclass(frozen=True)
class RawResponsesStreamEvent:
    """The next piece of the text that the model is writing: `data.delta`."""

    data: TextDelta
    type: ClassVar[Literal["raw_response_event"]] = "raw_response_event"


@dataclass(frozen=True)
class RunItemStreamEvent:
    """An item is finished and stored."""

    item: RunItem
    type: ClassVar[Literal["run_item_stream_event"]] = "run_item_stream_event"

    @property
    def name(self) -> str:
        """The name that the OpenAI Agents SDK has for this event."""
        return _NAMES.get(self.item.type, self.item.type)


@dataclass(frozen=True)
class AgentUpdatedStreamEvent:
    """Another agent has the conversation now."""

    new_agent: Agent
    type: ClassVar[Literal["agent_updated_stream_event"]] = "agent_updated_stream_event"


_NAMES = {
    "message_output_item": "message_output_created",
    "reasoning_item": "reasoning_item_created",
    "tool_call_item": "tool_called",
    "tool_call_output_item": "tool_output",
    "handoff_call_item": "handoff_requested",
    "handoff_output_item": "handoff_occured",
}

StreamEvent: TypeAlias = RawResponsesStreamEvent | RunItemStreamEvent | AgentUpdatedStreamEvent
