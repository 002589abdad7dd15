"""Agents: a model with a name, instructions, tools and handoffs."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar

from turnlog.agents.checking import (
    check_instructions,
    check_list,
    check_model,
    check_model_settings,
    check_name,
    check_output_type,
    check_text,
    check_tools,
    no_handoff,
)
from turnlog.agents.context import RunContextWrapper, TContext
from turnlog.agents.models.model import Model
from turnlog.agents.models.settings import ModelSettings
from turnlog.agents.showing import shown_agent
from turnlog.agents.tools.tool import Enabled, FunctionTool

__all__ = ["Agent", "LeadsOn", "by_name", "check_agent", "is_offered"]

T = TypeVar("T")

#: Called with the run's context and the agent before each request to the model.
Instructions: TypeAlias = Callable[
    [RunContextWrapper[Any], "Agent[Any]"], str | Awaitable[str | None] | None
]


@dataclass
class Agent(Generic[TContext]):
    """A model with a name, instructions and tools.

    The type of the context of its runs may be given: `Agent[MyContext]`.

    instructions: text that the model gets before the conversation; never stored. A function
        is called with the run's context and the agent.
    model: a model, or its name; see `resolve_model`. None: with OPENAI_API_KEY set, the model
        that TURNLOG_MODEL or OPENAI_DEFAULT_MODEL names, or a small one of OpenAI's; without
        a key, `OfflineModel`, which is not an LLM.
    tools: functions that the model may call; see `function_tool`.
    handoffs: agents that may take over the conversation; see `handoff`.
    output_type: the type of the final answer, if not text: a pydantic model, a dataclass, …
    handoff_description: when other agents should hand over to this one, in words for a model.
    reset_tool_choice: the `tool_choice` of the settings holds only until tools were called,
        so that a model which must call a tool can come to an end.
    """

    name: str
    instructions: str | Instructions | None = None
    model: Model | str | None = None
    tools: Sequence[FunctionTool] = field(default_factory=list)
    handoffs: Sequence[Agent | LeadsOn] = field(default_factory=list)
    output_type: Any = None
    model_settings: ModelSettings = field(default_factory=ModelSettings)
    handoff_description: str | None = None
    reset_tool_choice: bool = True

    def __repr__(self) -> str:
        return shown_agent(self)

    def __post_init__(self) -> None:
        check_name(self.name)
        check_instructions(self.instructions)
        check_model(self.model)
        check_model_settings(self.model_settings)
        check_tools(self.tools)
        check_handoffs(self.handoffs)
        check_output_type(self.output_type)

    if not TYPE_CHECKING:  # for a type checker, every attribute would exist

        def __getattr__(self, name: str) -> None:
            # The SDK's Runner finds out in this way that an agent is not one of its own.
            raise AttributeError(
                f"an Agent of turnlog has no attribute {name!r}: it runs with the Runner of "
                f"turnlog; the Runner of openai-agents needs an Agent of its own"
            )

    def clone(self, **changes: Any) -> Agent[TContext]:
        """The same agent with `changes`."""
        return replace(self, **changes)

    async def instructions_for(self, context: RunContextWrapper[Any]) -> str | None:
        """The instructions of this agent in a run with `context`."""
        if not callable(self.instructions):
            return self.instructions
        text = self.instructions(context, self)
        text = await text if inspect.isawaitable(text) else text
        check_text(text)
        return text

    async def tools_for(self, context: RunContextWrapper[Any]) -> dict[str, FunctionTool]:
        """The tools that are offered in a run with `context`, by name."""
        check_tools(self.tools)
        offered = [tool for tool in self.tools if await is_offered(tool, self, context)]
        return by_name((tool.name, tool) for tool in offered)


def by_name(pairs: Iterable[tuple[str, T]]) -> dict[str, T]:
    """The things that a model can call, by name. Raises `ValueError` if two have one name."""
    named: dict[str, T] = {}
    for name, offer in pairs:
        if name in named:
            raise ValueError(
                f"two tools or handoffs are named {name!r}, so a model can't choose between them; "
                f"give one of them another name (name_override, tool_name_override)"
            )
        named[name] = offer
    return named


def check_handoffs(handoffs: Iterable[object]) -> None:
    """Raise `TypeError` for the first that does not lead on to an agent."""
    check_list("handoffs", handoffs)
    for each in handoffs:
        if not isinstance(each, Agent) and not isinstance(getattr(each, "agent", None), Agent):
            raise no_handoff(each)


def check_agent(agent: object) -> None:
    """Raise `TypeError` unless it is an agent to hand over to."""
    if not isinstance(agent, Agent):
        raise no_handoff(agent)


class LeadsOn(Protocol):
    """The part of a handoff that an agent knows: it leads on to another agent."""

    @property
    def agent(self) -> Agent:
        """The agent that takes over."""
        ...


class Offer(Protocol):
    """A tool or a handoff, which is offered to the model or not."""

    @property
    def is_enabled(self) -> Enabled:
        """Whether it is offered; a function is called with the context and the agent."""
        ...


async def is_offered(offer: Offer, agent: Agent, context: RunContextWrapper[Any]) -> bool:
    """Whether `agent` offers it in a run with `context`."""
    enabled = offer.is_enabled
    if not callable(enabled):
        return enabled
    offered = enabled(context, agent)
    return bool(await offered if inspect.isawaitable(offered) else offered)
