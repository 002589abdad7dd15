"""The runner: runs an agent on new input, with a session as its memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from turnlog.agents.agent import Agent
from turnlog.agents.config import RunConfig
from turnlog.agents.context import TContext
from turnlog.agents.result import RunResult
from turnlog.agents.run import Run
from turnlog.agents.starting import (
    agent_of,
    check_loop,
    check_max_turns,
    check_no_loop,
    config_of,
    input_of,
    session_of,
)
from turnlog.agents.streaming import RunResultStreaming
from turnlog.conversation.session import Session
from turnlog.sync.loop import run_until_interrupted
from turnlog.sync.session import BlockingSession

__all__ = ["Runner"]


class Runner:
    """Runs an agent on new input, with a session as its memory.

    Everything is stored at once: the input before the model is asked, each response of the
    model when it is complete, each output of a tool when it is there. A run that fails
    half-way loses nothing, and a retry stores nothing twice.
    """

    @staticmethod
    async def run(
        agent: Agent[TContext] | None = None,
        input: str | Iterable[object] | None = None,  # noqa: A002 - the name that users of the SDK write
        *,
        starting_agent: Agent[TContext] | None = None,
        session: Session | BlockingSession | None = None,
        run_config: RunConfig | None = None,
        max_turns: int | None = 10,
        context: TContext | None = None,
        key: str | None = None,
    ) -> RunResult:
        """Ask `agent` to answer `input`.

        agent: `starting_agent`, as the SDK calls it, is the same.
        input: what the user says, or a list of items.
        session: any object with the four methods of `Session`, or a blocking twin; None
            stores nothing.
        run_config: settings of this run, such as `RunConfig(session_policy="reject")`.
        max_turns: how often the model may be asked before `MaxTurnsExceeded` is raised; None
            for no bound.
        context: passed to tools, and to instructions that are functions.
        key: a name for this run, such as the id of a request; see `RunConfig.key`. However often
            it is started with the same key, the model is asked for one answer only; then
            `RunResult.is_replay` is true.

        Errors of the model, of tools and of the session are raised unchanged.
        """
        first, new = agent_of(agent, starting_agent), input_of(input)
        memory, config = session_of(session), _keyed(config_of(run_config), key)
        check_max_turns(max_turns)
        return await Run(first, new, memory, config, max_turns, context).finish()

    @staticmethod
    def run_streamed(
        agent: Agent[TContext] | None = None,
        input: str | Iterable[object] | None = None,  # noqa: A002 - the name that users of the SDK write
        *,
        starting_agent: Agent[TContext] | None = None,
        session: Session | BlockingSession | None = None,
        run_config: RunConfig | None = None,
        max_turns: int | None = 10,
        context: TContext | None = None,
        key: str | None = None,
    ) -> RunResultStreaming:
        """The same as `run`, as an asynchronous iterator of its events.

        agent: `starting_agent`, as the SDK calls it, is the same.
        input: what the user says, or a list of items.
        session: any object with the four methods of `Session`, or a blocking twin; None
            stores nothing.
        run_config, max_turns, context, key: as in `run`.

        With a `key` that was answered before, these are the text of the stored answer in one
        piece, then its items.

        Raises `RuntimeError` without a running event loop, which its task needs.
        """
        first, new = agent_of(agent, starting_agent), input_of(input)
        memory, config = session_of(session), _keyed(config_of(run_config), key)
        check_max_turns(max_turns)
        check_loop()
        return RunResultStreaming(
            lambda watch: Run(first, new, memory, config, max_turns, context, watch)
        )

    @staticmethod
    def run_sync(
        agent: Agent[TContext] | None = None,
        input: str | Iterable[object] | None = None,  # noqa: A002 - the name that users of the SDK write
        *,
        starting_agent: Agent[TContext] | None = None,
        session: Session | BlockingSession | None = None,
        run_config: RunConfig | None = None,
        max_turns: int | None = 10,
        context: TContext | None = None,
        key: str | None = None,
    ) -> RunResult:
        """The same as `run`, for code without an event loop; it blocks.

        agent: `starting_agent`, as the SDK calls it, is the same.
        input: what the user says, or a list of items.
        session: any object with the four methods of `Session`, or a blocking twin; None
            stores nothing.
        run_config, max_turns, context, key: as in `run`.

        Ctrl-C cancels the run; what has happened by then is stored.

        Raises `RuntimeError` inside a running event loop, which it would stop.
        """
        check_no_loop("Runner.run_sync", "await Runner.run(...)")
        return run_until_interrupted(
            Runner.run,
            agent,
            input,
            starting_agent=starting_agent,
            session=session,
            run_config=run_config,
            max_turns=max_turns,
            context=context,
            key=key,
        )


def _keyed(config: RunConfig, key: str | None) -> RunConfig:
    """`config` with the run's key."""
    if key is None:
        return config
    if config.key not in (None, key):
        raise ValueError(
            "the run has two keys, key=… and RunConfig(key=…): leave one of them out, as a run "
            "has one name"
        )
    return replace(config, key=key)
