"""Representations of agents, settings and results: one short line, without secrets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from turnlog.agents.models.model import Usage

__all__ = ["shown_agent", "shown_result", "shown_settings"]

#: The characters of an answer that are shown.
_LENGTH = 60


class _Agent(Protocol):
    name: str
    model: Any
    tools: Any
    handoffs: Any
    output_type: Any


class _Result(Protocol):
    @property
    def final_output(self) -> Any: ...
    @property
    def new_items(self) -> Iterable[object]: ...
    @property
    def last_agent(self) -> _Agent: ...
    @property
    def usage(self) -> Usage: ...


def shown_result(result: _Result, **more: object) -> str:
    """The result of a run: the answer, shortened, how many items, the agent and the tokens."""
    facts = {
        "items": len([*result.new_items]),
        "agent": result.last_agent.name,
        "tokens": result.usage.total_tokens,
        **more,
    }
    named = ", ".join(f"{name}={value!r}" for name, value in facts.items())
    return f"{type(result).__name__}({_shortened(result.final_output)}, {named})"


def _shortened(value: object) -> str:
    text = repr(" ".join(value.split())) if isinstance(value, str) else repr(value)
    return text if len(text) <= _LENGTH else f"{text[: _LENGTH - 2]}…{text[-1]}"


def _shown_model(model: object) -> str:
    """A model: its name, or its class; what others put into their models may be secret."""
    is_ours = type(model).__module__.startswith("turnlog.")
    return repr(model) if model is None or is_ours or isinstance(model, str) else _named(model)


def shown_settings(settings: Any) -> str:
    """The fields of a dataclass that were set; callbacks by their names, a key not at all."""
    given = [
        f"{field.name}={_shown(field.name, getattr(settings, field.name))}"
        for field in fields(settings)
        if getattr(settings, field.name) != _default(field)
    ]
    return f"{type(settings).__name__}({', '.join(given)})"


def _default(field: Any) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _shown(name: str, value: object) -> str:
    if name == "key":
        return "…"
    if name == "model":
        return _shown_model(value)
    return _named(value) if callable(value) else repr(value)


def shown_agent(agent: _Agent) -> str:
    """An agent: its name, model, tools and handoffs; not what its instructions say."""
    shown = [repr(agent.name)]
    if agent.model is not None:
        shown.append(f"model={_shown_model(agent.model)}")
    for name, things in (("tools", agent.tools), ("handoffs", agent.handoffs)):
        if things:
            shown.append(f"{name}={[_name(thing) for thing in things]!r}")
    if agent.output_type is not None:
        shown.append(f"output_type={_named(agent.output_type)}")
    return f"{type(agent).__name__}({', '.join(shown)})"


def _name(thing: object) -> str:
    for name in ("agent_name", "name"):
        if isinstance(found := getattr(thing, name, None), str):
            return found
    return type(thing).__name__


def _named(value: object) -> str:
    return str(getattr(value, "__qualname__", f"<{type(value).__name__}>"))
