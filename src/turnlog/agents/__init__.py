"""Agents that remember: a small runner over any session.

Runner ──▶ Run ──▶ run_input     what the model is shown, and what of the new input is stored
               ──▶ models/       OpenAI's APIs, or your own: one method; offline/, a stand-in
               ──▶ calls         tools/ and handoffs
               ──▶ transcript    the items of the run so far
"""

from turnlog.agents.agent import Agent
from turnlog.agents.config import RunConfig
from turnlog.agents.context import RunContextWrapper, ToolContext
from turnlog.agents.events import (
    AgentUpdatedStreamEvent,
    RawResponsesStreamEvent,
    RunItemStreamEvent,
    StreamEvent,
)
from turnlog.agents.handoffs import Handoff, handoff
from turnlog.agents.model_names import resolve_model
from turnlog.agents.models.model import (
    ItemDone,
    Model,
    ModelEvent,
    ModelRequest,
    ModelResponse,
    OutputSchema,
    ResponseDone,
    StreamingModel,
    TextDelta,
    ToolDefinition,
    Usage,
)
from turnlog.agents.models.settings import ModelSettings
from turnlog.agents.offline.model import OfflineModel
from turnlog.agents.recalling import recall_tool
from turnlog.agents.result import (
    HandoffCallItem,
    HandoffOutputItem,
    MessageOutputItem,
    OtherItem,
    ReasoningItem,
    RunItem,
    RunResult,
    ToolCallItem,
    ToolCallOutputItem,
)
from turnlog.agents.runner import Runner
from turnlog.agents.streaming import RunResultStreaming
from turnlog.agents.summarising import summarised_by
from turnlog.agents.tools.tool import FunctionTool, function_tool

__all__ = [
    "Agent",
    "AgentUpdatedStreamEvent",
    "FunctionTool",
    "Handoff",
    "HandoffCallItem",
    "HandoffOutputItem",
    "ItemDone",
    "MessageOutputItem",
    "Model",
    "ModelEvent",
    "ModelRequest",
    "ModelResponse",
    "ModelSettings",
    "OfflineModel",
    "OtherItem",
    "OutputSchema",
    "RawResponsesStreamEvent",
    "ReasoningItem",
    "ResponseDone",
    "RunConfig",
    "RunContextWrapper",
    "RunItem",
    "RunItemStreamEvent",
    "RunResult",
    "RunResultStreaming",
    "Runner",
    "StreamEvent",
    "StreamingModel",
    "TextDelta",
    "ToolCallItem",
    "ToolCallOutputItem",
    "ToolContext",
    "ToolDefinition",
    "Usage",
    "function_tool",
    "handoff",
    "recall_tool",
    "resolve_model",
    "summarised_by",
]
