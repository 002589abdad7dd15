"""Checks of the parts of an agent: errors name what was given, what is needed and what to write.

Whatever has the methods that a run calls is taken: subclasses, classes of one's own, mocks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from turnlog.agents.models.model import Model
from turnlog.agents.models.settings import ModelSettings
from turnlog.agents.tools.tool import FunctionTool
from turnlog.items.given import given, is_of_sdk

__all__ = [
    "check_instructions",
    "check_list",
    "check_model",
    "check_model_settings",
    "check_name",
    "check_output_type",
    "check_text",
    "check_tools",
    "no_handoff",
]


def check_name(name: object) -> None:
    """Raise `TypeError` unless it is a str."""
    if not isinstance(name, str):
        raise TypeError(f'an agent has a str as its name, not {given(name)}: Agent("name", …)')


def check_instructions(instructions: object) -> None:
    """Raise `TypeError` unless they are None, text or a function."""
    if (
        instructions is not None
        and not isinstance(instructions, str)
        and not callable(instructions)
    ):
        raise TypeError(
            f"instructions must be a str, or a function of the context and the agent, "
            f"not {given(instructions)}"
        )


def check_text(text: object) -> None:
    """Raise `TypeError` unless a function of instructions has returned text or None."""
    if text is not None and not isinstance(text, str):
        raise TypeError(f"the function of the instructions must return a str, not {given(text)}")


def check_output_type(output_type: object) -> None:
    """Raise `TypeError` for a value where a type is needed; all types are left to pydantic."""
    if isinstance(output_type, str | bytes | int | float | list | tuple | dict | set):
        raise TypeError(
            f"output_type must be a type, not {given(output_type)}: write a pydantic model, a "
            f"dataclass or a type such as list[str]"
        )


def check_list(name: str, values: object) -> None:
    """Raise `TypeError` unless it is a list, a tuple or the like. An iterator ends at once."""
    if isinstance(values, str | type | Iterator) or not isinstance(values, Iterable):
        raise TypeError(f"{name} must be a list, not {given(values)}: write {name}=[…]")


def check_tools(tools: Iterable[object]) -> None:
    """Raise `TypeError` for the first that is no tool."""
    check_list("tools", tools)
    for tool in tools:
        if not isinstance(tool, FunctionTool):
            cure = _cure_for_tool(tool)
            raise TypeError(f"a tool is made by function_tool, not {given(tool)}: {cure}")


def _cure_for_tool(tool: object) -> str:
    """What to write, where `tool` was given as a tool."""
    if is_of_sdk(tool):
        return "decorate its function with function_tool of turnlog, or use the Runner of the SDK"
    if callable(tool):
        return "decorate the function with @function_tool"
    return "write function_tool(…) around a function, or handoffs=[…] for an agent"


def no_handoff(value: object) -> TypeError:
    """The error for something that is no handoff."""
    cure = "give the agent, or handoff(agent)"
    if is_of_sdk(value):
        cure = "make it an Agent of turnlog"
    return TypeError(f"a handoff is an Agent or made by handoff(…), not {given(value)}: {cure}")


def check_model(model: object) -> None:
    """Raise `TypeError` unless it is None, a name, or has the method `respond`.

    Raises `ValueError` for a name that is empty, as a variable may be that is not set.
    """
    if isinstance(model, str) and not model.strip():
        raise ValueError(
            "the name of the model is empty: give one, or None for the model of the environment"
        )
    if model is None or isinstance(model, str):
        return
    if isinstance(model, type) or not callable(getattr(model, "respond", None)):
        cure = _cure_for_model(model)
        raise TypeError(f"a model is a name, or has a method respond; not {given(model)}: {cure}")


def _cure_for_model(model: object) -> str:
    """What to write, where `model` was given as a model."""
    if isinstance(model, type):
        return f"write {model.__name__}(…)" if issubclass(model, Model) else "give an instance"
    if is_of_sdk(model):
        return "use the model of that name in turnlog, or the Runner of the SDK"
    if hasattr(model, "responses") or hasattr(model, "chat"):
        return (
            "write OpenAIResponsesModel(name, client), or OpenAIChatCompletionsModel(name, client)"
        )
    return "write a class with `async def respond(self, request)` that returns a ModelResponse"


def check_model_settings(settings: object) -> None:
    """Raise `TypeError` unless they are our `ModelSettings`."""
    if not isinstance(settings, ModelSettings):
        cure = "import it from turnlog" if is_of_sdk(settings) else "write ModelSettings(…)"
        if isinstance(settings, dict):
            cure = "write ModelSettings(**settings)"
        raise TypeError(f"model_settings must be a ModelSettings, not {given(settings)}: {cure}")
