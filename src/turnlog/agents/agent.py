"""Who answers."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from turnlog.agents.model import Model

__all__ = ["Agent"]

#: Called with the run's context and the agent, each time a model is asked.
Instructions: TypeAlias = Callable[[object, "Agent"], str | Awaitable[str]]


@dataclass
class Agent:
    """A model with a name and instructions.

    instructions: what the model is told before the conversation; never stored.
    model: who answers; `OfflineModel` unless told.
    """

    name: str
    instructions: str | Instructions | None = None
    model: Model | None = None

    async def instructions_for(self, context: object) -> str | None:
        """The instructions of this agent in a run with `context`."""
        if not callable(self.instructions):
            return self.instructions
        text = self.instructions(context, self)
        return await text if inspect.isawaitable(text) else text
