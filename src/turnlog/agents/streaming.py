"""Streaming runs: a run whose events are iterated over while it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any

from turnlog.agents.agent import Agent
from turnlog.agents.events import StreamEvent
from turnlog.agents.models.model import Usage
from turnlog.agents.result import RunItem, RunResult
from turnlog.agents.run import Run
from turnlog.agents.showing import shown_result
from turnlog.conversation.summaries.outcome import Compacted
from turnlog.conversation.usage.spending import Spending
from turnlog.items.json import Item, TResponseInputItem

__all__ = ["RunResultStreaming"]


class RunResultStreaming:
    """A run under way: iterate over it, or over `stream_events()`, for its events.

    It goes on by itself, also if nobody iterates. Leaving `stream_events` early cancels it;
    what has happened by then is stored.
    """

    def __init__(self, make: Callable[[Callable[[StreamEvent], None]], Run]) -> None:
        self._events: asyncio.Queue[StreamEvent | None] = asyncio.Queue()
        self._run = make(self._events.put_nowait)
        self._result: RunResult | None = None
        self._was_cancelled = False
        self._task = asyncio.get_running_loop().create_task(self._finish())

    def __repr__(self) -> str:
        return shown_result(self, is_complete=self.is_complete)

    async def _finish(self) -> RunResult:
        try:
            self._result = await self._run.finish()
            return self._result
        finally:
            self._events.put_nowait(None)

    def __aiter__(self) -> AsyncIterator[StreamEvent]:
        return self.stream_events()

    async def stream_events(self) -> AsyncGenerator[StreamEvent, None]:
        """The events, until the run has ended. Raises what the run raises.

        After `cancel` it ends, and raises nothing.
        """
        try:
            while (event := await self._events.get()) is not None:
                yield event
            self._events.put_nowait(None)  # a second iteration ends as well
            if not self._was_cancelled:
                await asyncio.shield(self._task)
        finally:
            if not self._task.done():
                self.cancel()
                await asyncio.wait([self._task])

    def cancel(self) -> None:
        """Cancel the run. What has happened by then is stored, and `stream_events` ends."""
        self._was_cancelled = True
        self._task.cancel()

    @property
    def is_complete(self) -> bool:
        """Whether the run has ended."""
        return self._task.done()

    @property
    def final_output(self) -> Any:
        """The final output; None until it is there."""
        return None if self._result is None else self._result.final_output

    @property
    def input(self) -> list[Item]:
        """The new input of the run, as items."""
        return self._run.new

    @property
    def new_items(self) -> list[RunItem]:
        """The items that came after the new input so far."""
        return self._run.transcript.items

    @property
    def last_agent(self) -> Agent:
        """The agent that has the conversation."""
        return self._run.agent

    @property
    def branch(self) -> str | None:
        """The branch on which the run is stored; None until it has ended."""
        return None if self._result is None else self._result.branch

    @property
    def compaction(self) -> Compacted | None:
        """The outcome of the compaction behind the run; None if none was due, or none has ended."""
        return None if self._result is None else self._result.compaction

    @property
    def is_replay(self) -> bool:
        """Whether the answer was stored by an earlier start with the same key.

        Known from the first event on; false until then.
        """
        return self._run.is_replay

    @property
    def usage(self) -> Usage:
        """The tokens spent so far."""
        return self._run.usage

    @property
    def spending(self) -> Spending:
        """The same by agent and model, as it is recorded on the session."""
        return self._run.spending

    @property
    def run_id(self) -> str:
        """The id of the run, under which `session.usage("run")` shows it."""
        return self._run.spending.run

    def to_input_list(self) -> list[TResponseInputItem]:
        """The new input and the items after it so far."""
        result = RunResult(self.input, self.new_items, None, self.last_agent, self.usage)
        return result.to_input_list()
