"""Who answers."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

from turnlog.agents.context import RunContextWrapper
from turnlog.agents.model import Model
from turnlog.agents.model_settings import ModelSettings
from turnlog.agents.tools import FunctionTool

__all__ = ["Agent", "LeadsOn", "is_offered"]

#: Called with the run's context and the agent, each time a model is asked.
Instructions: TypeAlias = Callable[
    [RunContextWrapper[Any], "Agent"], str | Awaitable[str | None] | None
]


@dataclass
class Agent:
    """A model with a name, instructions and tools.

    instructions: what the model is told before the conversation; never stored. A function
        is called with the run's context and the agent.
    model: who answers: a model, or the name of one of OpenAI's; `OfflineModel` unless told.
    tools: functions that the model may call; see `function_tool`.
    handoffs: agents that may take the conversation over; see `handoff`.
    output_type: what the final answer is, if not text: a pydantic model, a dataclass, …
    handoff_description: tells other agents when to hand over to this one.
    """

    name: str
    instructions: str | Instructions | None = None
    model: Model | str | None = None
    tools: Sequence[FunctionTool] = field(default_factory=list)
    handoffs: Sequence[Agent | LeadsOn] = field(default_factory=list)
    output_type: Any = None
    model_settings: ModelSettings = field(default_factory=ModelSettings)
    handoff_description: str | None = None

    def clone(self, **changes: Any) -> Agent:
        """The same agent with `changes`."""
        return replace(self, **changes)

    async def instructions_for(self, context: RunContextWrapper[Any]) -> str | None:
        """The instructions of this agent in a run with `context`."""
        if not callable(self.instructions):
            return self.instructions
        text = self.instructions(context, self)
        return await text if inspect.isawaitable(text) else text

    async def tools_for(self, context: RunContextWrapper[Any]) -> dict[str, FunctionTool]:
        """The tools that are offered in a run with `context`, by name."""
        return {tool.name: tool for tool in self.tools if await is_offered(tool, self, context)}


class LeadsOn(Protocol):
    """A handoff, as far as an agent needs to know: it leads on to another agent."""

    @property
    def agent(self) -> Agent:
        """Who takes over."""
        ...


class Offer(Protocol):
    """A tool or a handoff, which may be offered or not."""

    @property
    def is_enabled(self) -> bool | Callable[[RunContextWrapper[Any], Any], bool | Awaitable[bool]]:
        """Whether it is offered; a function is asked with the context and the agent."""
        ...


async def is_offered(offer: Offer, agent: Agent, context: RunContextWrapper[Any]) -> bool:
    """Whether `agent` offers it in a run with `context`."""
    enabled = offer.is_enabled
    if not callable(enabled):
        return enabled
    offered = enabled(context, agent)
    return bool(await offered if inspect.isawaitable(offered) else offered)
