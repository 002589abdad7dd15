"""Run contexts: what tools, handoffs and instructions get of the run that they belong to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic

from turnlog.agents.models.model import Usage

if TYPE_CHECKING:
    # Type checkers know this module, also where it isn't installed; 3.13 has it in typing.
    from typing_extensions import TypeVar

    TContext = TypeVar("TContext", default=Any)
else:
    from typing import TypeVar

    TContext = TypeVar("TContext")

__all__ = ["RunContextWrapper", "TContext", "ToolContext"]


@dataclass
class RunContextWrapper(Generic[TContext]):
    """The context of a run.

    context: the object that was given to the run; no model ever sees it.
    usage: the tokens that the run has spent so far.
    """

    context: TContext
    usage: Usage = field(default_factory=Usage)


@dataclass
class ToolContext(RunContextWrapper[TContext]):
    """The context of a run, and the call that the model made."""

    tool_name: str = ""
    tool_call_id: str = ""
    tool_arguments: str = ""
