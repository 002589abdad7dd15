"""Runs agents."""

from __future__ import annotations

from collections.abc import Iterable

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

    What happened is stored as it happens: the input before the model is asked, each answer
    of the model as soon as it is whole, each output of a tool as soon as it is there. A run
    that fails half-way loses nothing, and trying it again stores nothing twice.
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
    ) -> RunResult:
        """Ask `agent` to answer `input`.

        input: what the user says, or a list of items.
        session: any object with the four verbs of `Session`, or a blocking twin; None
            forgets.
        max_turns: how often the model may be asked, None for no bound; then raises
            `MaxTurnsExceeded`.
        context: handed to tools, and to instructions that are functions.

        Errors of the model, of tools and of the session reach the caller as they are.
        """
        _check(max_turns)
        config = run_config or RunConfig()
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
    ) -> RunResultStreaming:
        """The same as `run`, to be watched: an asynchronous iterator of what happens."""
        _check(max_turns)
        config = run_config or RunConfig()
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
    ) -> RunResult:
        """The same as `run`, for code without an event loop; it blocks.

        Ctrl-C cancels the run; what happened by then is stored.

        Raises `RuntimeError` where an event loop is running, which it would bring to a halt.
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
        )


def _check(max_turns: int | None) -> None:
    if max_turns is not None and max_turns < 1:
        raise ValueError(f"max_turns is {max_turns}; a run asks the model at least once")


def _awaited(session: Session | BlockingSession | None) -> Session | None:
    """The session itself, where its blocking twin was given."""
    return session.session if isinstance(session, BlockingSession) else session


def _refuse_running_loop() -> None:
    if is_loop_running():
        raise RuntimeError(
            "Runner.run_sync blocks, and here an event loop is running: "
            "write await Runner.run(...) instead"
        )
