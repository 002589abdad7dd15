"""Recognition by the OpenAI Agents SDK, whose Runner asks for its own class of this name."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["register"]


def register(ours: type) -> None:
    """Make the SDK's Runner treat `ours` as its own class, if the SDK is loaded."""
    module = sys.modules.get("agents.memory.openai_conversations_session")
    theirs: Any = getattr(module, "OpenAIConversationsSession", None)
    if theirs is not None and not issubclass(ours, theirs):
        theirs.register(ours)
