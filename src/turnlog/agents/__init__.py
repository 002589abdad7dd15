"""Agents that remember: a small runner over any session.

Runner ──▶ Recall    what the model is shown, what of the new input is stored
       ──▶ Model     OfflineModel here; a model of your own is one method

Models of OpenAI and its like, tools, handoffs and output types are modules of their own,
which need an extra: openai_responses, openai_chat, tools, handoffs, output.
"""

from turnlog.agents.agent import Agent
from turnlog.agents.config import RunConfig, SessionInputCallback
from turnlog.agents.context import RunContextWrapper, ToolContext
from turnlog.agents.model import (
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
    stream,
)
from turnlog.agents.model_names import resolve_model
from turnlog.agents.model_settings import ModelSettings
from turnlog.agents.offline import OfflineModel
from turnlog.agents.result import MessageOutputItem, RunItem, RunResult
from turnlog.agents.runner import Runner

__all__ = [
    "Agent",
    "ItemDone",
    "MessageOutputItem",
    "Model",
    "ModelEvent",
    "ModelRequest",
    "ModelResponse",
    "ModelSettings",
    "OfflineModel",
    "OutputSchema",
    "ResponseDone",
    "RunConfig",
    "RunContextWrapper",
    "RunItem",
    "RunResult",
    "Runner",
    "SessionInputCallback",
    "StreamingModel",
    "TextDelta",
    "ToolContext",
    "ToolDefinition",
    "Usage",
    "resolve_model",
    "stream",
]
