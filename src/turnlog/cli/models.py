"""The model that the chat talks with."""

from turnlog.agents import Agent, FunctionTool, OfflineModel, resolve_model
from turnlog.agents.models.environment import default_name

__all__ = ["assistant", "label"]


def assistant() -> Agent:
    """The agent of the chat, with the model that the environment names; see `resolve_model`."""
    instructions = "Answer briefly."
    name = default_name()
    if name is None:
        return Agent("Assistant", instructions, OfflineModel())
    return Agent("Assistant", instructions, resolve_model(None), tools=[_clock()])


def label() -> str:
    """What answers, in one line."""
    name = default_name()
    if name is None:
        return "The model is turnlog's offline one: a few patterns, not an LLM."
    return f"The model is {name}."


def _clock() -> FunctionTool:
    from datetime import datetime  # noqa: PLC0415 - needed online only

    from turnlog.agents import function_tool  # noqa: PLC0415 - see above

    @function_tool
    def current_time() -> str:
        """Tell the date and time where the user is."""
        return datetime.now().astimezone().isoformat(timespec="minutes")

    return current_time
