"""Checks of what a run is started with, before anything is read, written or asked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager

from turnlog.agents.agent import Agent
from turnlog.agents.config import RunConfig
from turnlog.conversation.protocol import is_session
from turnlog.conversation.session import Session
from turnlog.items.given import check_int_or_none, given, is_of_sdk
from turnlog.items.json import Item
from turnlog.items.merge import input_items
from turnlog.store import Store
from turnlog.sync.loop import is_loop_running
from turnlog.sync.session import BlockingSession

__all__ = [
    "agent_of",
    "check_loop",
    "check_max_turns",
    "check_no_loop",
    "config_of",
    "input_of",
    "session_of",
]

_DEFAULT = RunConfig()


def agent_of(agent: object, starting_agent: object) -> Agent:
    """The agent to run: `starting_agent` is the name that the SDK has for it.

    Raises `TypeError` if both or none are given, and for what is no agent of Turnlog.
    """
    if agent is not None and starting_agent is not None:
        raise TypeError("agent and starting_agent are the same: give only one of them")
    chosen = starting_agent if agent is None else agent
    if isinstance(chosen, Agent):
        return chosen
    cure = _cure_for_agent(chosen)
    raise TypeError(f"a run needs an Agent of turnlog, not {given(chosen)}: {cure}")


def _cure_for_agent(value: object) -> str:
    """What to write, where `value` was given as an agent."""
    if isinstance(value, str):
        return "the agent comes first, as in Runner.run(agent, input)"
    if isinstance(value, type) and issubclass(value, Agent):
        return 'make one: Agent("name", …)'
    if is_of_sdk(value):
        return "import Agent from turnlog, or use the Runner of the SDK, with the same session"
    return 'write Runner.run(Agent("name", …), input)'


def input_of(new: str | Iterable[object] | None) -> list[Item]:
    """The new input as items. Raises `TypeError` for what is none."""
    if new is None:
        raise TypeError("a run needs an input, which is missing or None: Runner.run(agent, input)")
    if isinstance(new, Agent) or is_of_sdk(new):
        raise TypeError(
            f"the input is text or a list of items, not {given(new)}: the agent comes first, as in "
            f"Runner.run(agent, input)"
        )
    return input_items(new)


def session_of(session: object) -> Session | None:
    """The session, or of a blocking twin the session itself.

    Anything is taken that has the methods `get_items` and `add_items`, which a run calls.
    """
    if isinstance(session, BlockingSession):
        return session.session
    if session is not None and not is_session(session):
        cure = _cure_for_session(session)
        raise TypeError(f"session must be a session, not {given(session)}: {cure}")
    return session  # type: ignore[return-value] # it has the methods


def _cure_for_session(value: object) -> str:
    """What to write, where `value` was given as a session."""
    if isinstance(value, Store):
        return "write StoredSession(session_id, store)"
    if getattr(value, "blocks", False):
        return "write turnlog.sync.StoredSession(session_id, store)"
    if isinstance(value, type):
        return f"write {value.__name__}(session_id, …)"
    if isinstance(value, AbstractAsyncContextManager):
        return "open the block with `async with`, and in it give the session itself"
    return 'write SQLiteSession(session_id, "conversations.db")'


def config_of(config: object) -> RunConfig:
    """The configuration; None means the default one."""
    if config is None:
        return _DEFAULT
    if isinstance(config, RunConfig):
        return config
    cure = "write RunConfig(**config)" if isinstance(config, dict) else "import it from turnlog"
    raise TypeError(f"run_config must be a RunConfig, not {given(config)}: {cure}")


def check_max_turns(max_turns: int | None) -> None:
    """Raise `TypeError` or `ValueError` unless it is a number of turns, or None."""
    check_int_or_none("max_turns", max_turns, 1)


def check_no_loop(call: str, instead: str) -> None:
    """Raise `RuntimeError` on a running event loop, which a blocking `call` would stop."""
    if is_loop_running():
        raise RuntimeError(f"{call} would block the running event loop: write {instead} instead")


def check_loop() -> None:
    """Raise `RuntimeError` without a running event loop."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "Runner.run_streamed needs a running event loop: call it inside of an `async def` that "
            "asyncio.run(…) runs, or use Runner.run_sync, which blocks and does not stream"
        ) from None
