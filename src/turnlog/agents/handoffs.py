"""Handoffs: a model hands the conversation over to another agent."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from turnlog.agents.agent import Agent, LeadsOn, by_name, check_agent, is_offered
from turnlog.agents.checking import no_handoff
from turnlog.agents.context import RunContextWrapper
from turnlog.agents.models.model import JSONSchema, ToolDefinition
from turnlog.agents.result import RunItem
from turnlog.agents.tools import pydantic
from turnlog.agents.tools.strict import strict_schema
from turnlog.agents.tools.tool import Enabled
from turnlog.errors import ModelBehaviorError
from turnlog.items.json import Item

__all__ = [
    "Handoff",
    "HandoffInputData",
    "HandoffInputFilter",
    "handoff",
    "handoffs_of",
    "transfer_message",
]

#: Called with the context, and with the input if there is an input type.
OnHandoff: TypeAlias = Callable[..., object]

_NO_INPUT: JSONSchema = {
    "type": "object",
    "properties": {},
    "required": [],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class HandoffInputData:
    """The items that the next agent would be shown, for a filter to change.

    input_history: the items that the run began with: history and input.
    pre_handoff_items: the items of the run before the response that hands over.
    new_items: the items of that response, and the outputs of its calls.
    run_context: the context of the run.
    input_items: shown to the next agent instead of `new_items`, unless None.

    Filters change what is shown; what is stored stays.
    """

    input_history: str | tuple[Item, ...]
    pre_handoff_items: tuple[RunItem, ...]
    new_items: tuple[RunItem, ...]
    run_context: RunContextWrapper[Any] | None = None
    input_items: tuple[RunItem, ...] | None = None

    def clone(self, **changes: Any) -> HandoffInputData:
        """A copy with `changes`."""
        return replace(self, **changes)


HandoffInputFilter: TypeAlias = Callable[
    [HandoffInputData], HandoffInputData | Awaitable[HandoffInputData]
]


@dataclass
class Handoff:
    """An agent that can take over, as a tool of the agent that hands over.

    agent: the one that takes over.
    input_json_schema: the JSON Schema of the arguments that the model gives.
    on_invoke_handoff: called with the context and the arguments, a JSON text, when the model
        hands over; returns the agent.
    input_filter: changes what the next agent is shown.
    is_enabled: whether it is offered; a function is called with the context and the agent.
    """

    tool_name: str
    tool_description: str
    input_json_schema: JSONSchema
    on_invoke_handoff: Callable[[RunContextWrapper[Any], str], Awaitable[Agent]]
    agent: Agent
    input_filter: HandoffInputFilter | None = None
    strict_json_schema: bool = True
    is_enabled: Enabled = True

    @property
    def agent_name(self) -> str:
        """The name of the agent that takes over."""
        return self.agent.name

    @property
    def definition(self) -> ToolDefinition:
        """The definition that a model gets."""
        return ToolDefinition(
            self.tool_name,
            self.tool_description,
            self.input_json_schema,
            self.strict_json_schema,
        )


def handoff(
    agent: Agent,
    tool_name_override: str | None = None,
    tool_description_override: str | None = None,
    on_handoff: OnHandoff | None = None,
    input_type: Any = None,
    input_filter: HandoffInputFilter | None = None,
    is_enabled: Enabled = True,
) -> Handoff:
    """Let a model hand the conversation over to `agent`.

    on_handoff: called with the context when the model hands over; sync or async.
    input_type: the type of the arguments that the model gives, as one object. `on_handoff`
        gets it as its second argument.

    Raises `TypeError` for what is no `Agent`, and if `on_handoff` doesn't take these arguments.
    """
    check_agent(agent)
    adapter = _adapter(input_type, on_handoff)
    schema = strict_schema(adapter.json_schema()) if adapter else _NO_INPUT
    if schema.get("type") != "object":
        raise TypeError(
            "input_type must be an object type, such as a pydantic model or a dataclass"
        )
    return Handoff(
        tool_name=tool_name_override or _handoff_name(agent.name),
        tool_description=tool_description_override or _description(agent),
        input_json_schema=schema,
        on_invoke_handoff=_Invocation(agent, on_handoff, adapter),
        agent=agent,
        input_filter=input_filter,
        is_enabled=is_enabled,
    )


async def handoffs_of(agent: Agent, context: RunContextWrapper[Any]) -> dict[str, Handoff]:
    """The handoffs that `agent` offers in a run with `context`, by the name of their tool."""
    made = map(_as_handoff, agent.handoffs)
    offered = [each for each in made if await is_offered(each, agent, context)]
    return by_name((each.tool_name, each) for each in offered)


def _as_handoff(given: Agent | LeadsOn) -> Handoff:
    if isinstance(given, Handoff):
        return given
    if isinstance(given, Agent):
        return handoff(given)
    raise no_handoff(given)


def _handoff_name(agent_name: str) -> str:
    """The name of the tool that hands over to the agent of that name."""
    return re.sub(r"[^a-zA-Z0-9]", "_", f"transfer_to_{agent_name}").lower()


def transfer_message(agent_name: str) -> str:
    """The output of a call that handed over: the agent that has the conversation now."""
    return json.dumps({"assistant": agent_name})


@dataclass(frozen=True)
class _Invocation:
    """Hands over: calls `on_handoff` and returns the agent."""

    agent: Agent
    on_handoff: OnHandoff | None
    adapter: pydantic.TypeAdapter[Any] | None

    async def __call__(self, ctx: RunContextWrapper[Any], arguments: str) -> Agent:
        given = (ctx,) if self.adapter is None else (ctx, self._input(self.adapter, arguments))
        result = self.on_handoff(*given) if self.on_handoff else None
        if inspect.isawaitable(result):
            await result
        return self.agent

    def _input(self, adapter: pydantic.TypeAdapter[Any], arguments: str) -> Any:
        try:
            return adapter.validate_json(arguments or "{}")
        except pydantic.ValidationError as error:
            # Without pydantic's text, which quotes the model.
            raise ModelBehaviorError(
                f"the input of the handoff to {self.agent.name!r} doesn't fit its type "
                f"(problems: {error.error_count()})"
            ) from None


def _adapter(input_type: Any, on_handoff: OnHandoff | None) -> pydantic.TypeAdapter[Any] | None:
    if on_handoff is not None:
        wanted = 1 if input_type is None else 2
        if not _takes(on_handoff, wanted):
            raise TypeError(f"on_handoff must take {wanted} arguments: the context, and any input")
    elif input_type is not None:
        raise TypeError("input_type needs on_handoff, which gets the input")
    return None if input_type is None else pydantic.TypeAdapter(input_type)


def _takes(function: OnHandoff, count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    return True


def _description(agent: Agent) -> str:
    # Agents of other classes may not have the field.
    about = getattr(agent, "handoff_description", None) or ""
    return f"Hand the conversation over to the agent {agent.name}. {about}".strip()
