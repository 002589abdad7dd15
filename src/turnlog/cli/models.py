"""Model of the chat: the one that the environment names, or the offline model."""

from turnlog.agents import Agent, FunctionTool, OfflineModel, resolve_model
from turnlog.agents.models.environment import default_name

__all__ = ["assistant", "model_notice"]


def assistant() -> Agent:
    """The agent of the chat. `resolve_model` says how the environment names its model."""
    instructions = "Answer briefly."
    name = default_name()
    if name is None:
        return Agent("Assistant", instructions, OfflineModel())
    return Agent("Assistant", instructions, resolve_model(None), tools=[_clock()])


def model_notice() -> str:
    """One line that says which model answers."""
    name = default_name()
    if name is None:
        return "The model is turnlog's offline model: a few patterns, not an LLM."
    return f"The model is {name}."


def _clock() -> FunctionTool:
    from datetime import datetime  # noqa: PLC0415 - needed online only

    from turnlog.agents import function_tool  # noqa: PLC0415 - see above

    @function_tool
    def current_time() -> str:
        """Return the current date and time of the user."""
        return datetime.now().astimezone().isoformat(timespec="minutes")

    return current_time
