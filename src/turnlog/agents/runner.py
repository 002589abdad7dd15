"""One run: read the session, ask the model, store what happened as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from turnlog import sync
from turnlog.agents.agent import Agent
from turnlog.agents.config import RunConfig
from turnlog.agents.model import Model, ModelRequest
from turnlog.agents.offline import OfflineModel
from turnlog.agents.result import RunResult, run_item
from turnlog.items import Item
from turnlog.merge import Merged, input_items
from turnlog.recall import recall
from turnlog.session import Session

__all__ = ["Runner"]


class Runner:
    """Runs an agent on new input, with a session as its memory.

    What happened is stored as it happens: the input before the model is asked, the answer
    as soon as it is there. A run that fails half-way loses nothing, and trying it again
    stores nothing twice.
    """

    @staticmethod
    async def run(
        agent: Agent,
        input: str | Iterable[object],  # noqa: A002 - the name that users of the SDK write
        *,
        session: Session | None = None,
        run_config: RunConfig | None = None,
        max_turns: int | None = 10,
        context: object = None,
    ) -> RunResult:
        """Ask `agent` to answer `input`.

        input: what the user says, or a list of items.
        session: any object with the four verbs of `Session`; None forgets.
        max_turns: how often the model may be asked, None for no bound; without tools, once
            is enough.
        context: handed to instructions that are functions.

        Errors of the model and of the session reach the caller as they are.
        """
        if max_turns is not None and max_turns < 1:
            raise ValueError(f"max_turns is {max_turns}; a run asks the model at least once")
        config = run_config or RunConfig()
        new = input_items(input)
        shown, fresh = await _recalled(session, new, config)
        await _store(session, fresh)
        request = ModelRequest(shown, await agent.instructions_for(context))
        response = await _model(agent, config).respond(request)
        await _store(session, response.output)
        items = [run_item(agent, raw_item) for raw_item in response.output]
        return RunResult(new, items, agent, response.usage)

    @staticmethod
    def run_sync(
        agent: Agent,
        input: str | Iterable[object],  # noqa: A002 - the name that users of the SDK write
        *,
        session: Session | None = None,
        run_config: RunConfig | None = None,
        max_turns: int | None = 10,
        context: object = None,
    ) -> RunResult:
        """The same as `run`, for code without an event loop; it blocks.

        Raises `RuntimeError` where an event loop is running, which it would bring to a halt.
        """
        _refuse_running_loop()
        return sync.run(
            Runner.run,
            agent,
            input,
            session=session,
            run_config=run_config,
            max_turns=max_turns,
            context=context,
        )


def _refuse_running_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "Runner.run_sync blocks, and here an event loop is running: "
        "write await Runner.run(...) instead"
    )


async def _recalled(session: Session | None, new: list[Item], config: RunConfig) -> Merged:
    if session is None:
        return Merged(new, new)
    return await recall(
        session,
        new,
        settings=config.session_settings,
        callback=config.session_input_callback,
    )


async def _store(session: Session | None, items: list[Item]) -> None:
    if session is not None and items:
        await session.add_items(items)


def _model(agent: Agent, config: RunConfig) -> Model:
    return config.model or agent.model or OfflineModel()
