"""The model that the chat talks with."""

import os

from turnlog.agents import Agent, FunctionTool, Model, OfflineModel

__all__ = ["assistant", "label"]

_DEFAULT = "gpt-4.1-mini"


def assistant() -> Agent:
    """The agent of the chat: with OPENAI_API_KEY, one that a real model answers for.

    OPENAI_BASE_URL names another provider with the same API, TURNLOG_MODEL the model.
    """
    instructions = "Answer briefly."
    if not _is_online():
        return Agent("Assistant", instructions, OfflineModel())
    return Agent("Assistant", instructions, _online(), tools=[_clock()])


def label() -> str:
    """What answers, in one line."""
    if _is_online():
        return f"The model is {_name()}."
    return "The model is turnlog's offline one: a few patterns, not an LLM."


def _is_online() -> bool:
    return bool(os.environ.get("OPENAI_API_KEY"))


def _name() -> str:
    return os.environ.get("TURNLOG_MODEL") or _DEFAULT


def _online() -> Model:
    from turnlog import OpenAIChatCompletionsModel, OpenAIResponsesModel  # noqa: PLC0415 - an extra

    # Of the two APIs, other providers mostly have the older one.
    if os.environ.get("OPENAI_BASE_URL"):
        return OpenAIChatCompletionsModel(_name())
    return OpenAIResponsesModel(_name())


def _clock() -> FunctionTool:
    from datetime import datetime  # noqa: PLC0415 - needed online only

    from turnlog.agents import function_tool  # noqa: PLC0415 - see above

    @function_tool
    def current_time() -> str:
        """Tell the date and time where the user is."""
        return datetime.now().astimezone().isoformat(timespec="minutes")

    return current_time
