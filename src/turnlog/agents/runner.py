"""The runner: runs an agent on new input, with a session as its memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from turnlog.agents.agent import Agent
from turnlog.agents.config import RunConfig
from turnlog.agents.result import RunResult
from turnlog.agents.run import Run
from turnlog.agents.streaming import RunResultStreaming
from turnlog.conversation.session import Session
from turnlog.items.merge import input_items
from turnlog.sync.loop import is_loop_running, run_until_interrupted
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
        agent: Agent,
        input: str | Iterable[object],  # noqa: A002 - the name that users of the SDK write
        *,
        session: Session | BlockingSession | None = None,
        run_config: RunConfig | None = None,
        max_turns: int | None = 10,
        context: object = None,
        key: str | None = None,
    ) -> RunResult:
        """Ask `agent` to answer `input`.

        input: what the user says, or a list of items.
        session: any object with the four methods of `Session`, or a blocking twin; None
            stores nothing.
        max_turns: how often the model may be asked before `MaxTurnsExceeded` is raised; None
            for no bound.
        context: passed to tools, and to instructions that are functions.
        key: a name for this run, such as the id of a request; see `RunConfig.key`. However often
            it is started with the same key, the model is asked for one answer only; then
            `RunResult.is_replay` is true.

        Errors of the model, of tools and of the session are raised unchanged.
        """
        _check(max_turns)
        config = _keyed(run_config or RunConfig(), key)
        run = Run(agent, input_items(input), _awaited(session), config, max_turns, context)
        return await run.finish()

    @staticmethod
    def run_streamed(
        agent: Agent,
        input: str | Iterable[object],  # noqa: A002 - the name that users of the SDK write
        *,
        session: Session | BlockingSession | None = None,
        run_config: RunConfig | None = None,
        max_turns: int | None = 10,
        context: object = None,
        key: str | None = None,
    ) -> RunResultStreaming:
        """The same as `run`, as an asynchronous iterator of its events.

        With a `key` that was answered before, these are the text of the stored answer in one
        piece, then its items.
        """
        _check(max_turns)
        config = _keyed(run_config or RunConfig(), key)
        new = input_items(input)
        return RunResultStreaming(
            lambda watch: Run(agent, new, _awaited(session), config, max_turns, context, watch)
        )

    @staticmethod
    def run_sync(
        agent: Agent,
        input: str | Iterable[object],  # noqa: A002 - the name that users of the SDK write
        *,
        session: Session | BlockingSession | None = None,
        run_config: RunConfig | None = None,
        max_turns: int | None = 10,
        context: object = None,
        key: str | None = None,
    ) -> RunResult:
        """The same as `run`, for code without an event loop; it blocks.

        Ctrl-C cancels the run; what has happened by then is stored.

        Raises `RuntimeError` inside a running event loop, which it would stop.
        """
        _refuse_running_loop()
        return run_until_interrupted(
            Runner.run,
            agent,
            input,
            session=session,
            run_config=run_config,
            max_turns=max_turns,
            context=context,
            key=key,
        )


def _check(max_turns: int | None) -> None:
    if max_turns is not None and max_turns < 1:
        raise ValueError(f"max_turns is {max_turns}; it must be at least 1")


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


def _awaited(session: Session | BlockingSession | None) -> Session | None:
    """The session itself, if its blocking twin was given."""
    return session.session if isinstance(session, BlockingSession) else session


def _refuse_running_loop() -> None:
    if is_loop_running():
        raise RuntimeError(
            "Runner.run_sync would block the running event loop: "
            "write await Runner.run(...) instead"
        )
