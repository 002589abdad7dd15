"""What can be watched of a run while it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from turnlog.agents.agent import Agent
from turnlog.agents.model import TextDelta
from turnlog.agents.result import RunItem

__all__ = [
    "AgentUpdatedStreamEvent",
    "RawResponsesStreamEvent",
    "RunItemStreamEvent",
    "StreamEvent",
]


@dataclass(frozen=True)
class RawResponsesStreamEvent:
    """A further piece of the text that the model is writing: `data.delta`."""

    data: TextDelta
    type: ClassVar[str] = "raw_response_event"


@dataclass(frozen=True)
class RunItemStreamEvent:
    """An item is finished and stored."""

    item: RunItem
    type: ClassVar[str] = "run_item_stream_event"


@dataclass(frozen=True)
class AgentUpdatedStreamEvent:
    """Another agent has the conversation now."""

    new_agent: Agent
    type: ClassVar[str] = "agent_updated_stream_event"


StreamEvent: TypeAlias = RawResponsesStreamEvent | RunItemStreamEvent | AgentUpdatedStreamEvent
