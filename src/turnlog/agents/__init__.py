"""Agents that remember: a small runner over any session.

Runner ──▶ Recall    what the model is shown, what of the new input is stored
       ──▶ Model     OfflineModel here; a model of your own is one method
"""

from turnlog.agents.agent import Agent
from turnlog.agents.config import RunConfig
from turnlog.agents.model import Model, ModelRequest, ModelResponse, Usage
from turnlog.agents.offline import OfflineModel
from turnlog.agents.result import MessageOutputItem, RunItem, RunResult
from turnlog.agents.runner import Runner

__all__ = [
    "Agent",
    "MessageOutputItem",
    "Model",
    "ModelRequest",
    "ModelResponse",
    "OfflineModel",
    "RunConfig",
    "RunItem",
    "RunResult",
    "Runner",
    "Usage",
]
