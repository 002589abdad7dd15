"""Streamed runs for code without an event loop: an iterator that waits for each event."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from turnlog.agents.agent import Agent
from turnlog.agents.config import RunConfig
from turnlog.agents.context import TContext
from turnlog.agents.events import StreamEvent
from turnlog.agents.models.model import Usage
from turnlog.agents.result import RunItem
from turnlog.agents.runner import Runner
from turnlog.agents.starting import check_no_loop
from turnlog.agents.streaming import RunResultStreaming
from turnlog.conversation.protocol import Session
from turnlog.conversation.summaries.outcome import Compacted
from turnlog.conversation.usage.spending import Spending
from turnlog.items.json import Item
from turnlog.sync.loop import run, run_certainly, run_until_interrupted
from turnlog.sync.session import BlockingSession

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

__all__ = ["BlockingRunStream", "run_streamed"]


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
) -> BlockingRunStream:
    """The same as `Runner.run_streamed`, for code without an event loop.

        with run_streamed(agent, question, session=session) as stream:
            for event in stream:
                if event.type == "raw_response_event":
                    print(event.data.delta, end="")

    Raises `RuntimeError` inside a running event loop, which it would stop.
    """
    check_no_loop("turnlog.sync.run_streamed", "Runner.run_streamed(...)")
    begin = partial(
        Runner.run_streamed,
        agent,
        input,
        session=session,
        run_config=run_config,
        max_turns=max_turns,
        context=context,
        starting_agent=starting_agent,
        key=key,
    )
    return BlockingRunStream(run(_begun, begin))


async def _begun(begin: partial[RunResultStreaming]) -> RunResultStreaming:
    return begin()


class BlockingRunStream(Iterator[StreamEvent]):
    """A run under way: iterate over it for its events.

    It goes on by itself, also if nobody iterates. Leaving a `with` block early, `close`, and
    Ctrl-C cancel it; what has happened by then is stored.

    result: the run itself. None of its attributes waits.
    """

    def __init__(self, result: RunResultStreaming) -> None:
        self.result = result
        self._events = result.stream_events()

    def __repr__(self) -> str:
        return f"sync.{self.result!r}"

    def __next__(self) -> StreamEvent:
        try:
            return run_until_interrupted(self._next)
        except StopAsyncIteration:
            raise StopIteration from None

    async def _next(self) -> StreamEvent:
        return await anext(self._events)

    def close(self) -> None:
        """Cancel the run unless it has ended, and wait until the session is free."""
        run_certainly(self._cancel)

    async def _cancel(self) -> None:
        if not self.result.is_complete:
            self.result.cancel()
            async for _ in self.result:
                pass

    @property
    def is_complete(self) -> bool:
        """Whether the run has ended."""
        return self.result.is_complete

    @property
    def final_output(self) -> Any:
        """The final output; None until it is there."""
        return self.result.final_output

    @property
    def input(self) -> list[Item]:
        """The new input of the run, as items."""
        return self.result.input

    @property
    def new_items(self) -> list[RunItem]:
        """The items that came after the new input so far."""
        return self.result.new_items

    @property
    def last_agent(self) -> Agent:
        """The agent that has the conversation."""
        return self.result.last_agent

    @property
    def branch(self) -> str | None:
        """The branch on which the run is stored; None until it has ended."""
        return self.result.branch

    @property
    def compaction(self) -> Compacted | None:
        """The outcome of the compaction behind the run; None if none was due, or none has ended."""
        return self.result.compaction

    @property
    def is_replay(self) -> bool:
        """Whether the answer was stored by an earlier start with the same key.

        Known from the first event on; false until then.
        """
        return self.result.is_replay

    @property
    def usage(self) -> Usage:
        """The tokens spent so far."""
        return self.result.usage

    @property
    def spending(self) -> Spending:
        """The same by agent and model, as it is recorded on the session."""
        return self.result.spending

    @property
    def run_id(self) -> str:
        """The id of the run, under which `session.usage("run")` shows it."""
        return self.result.run_id

    def to_input_list(self) -> list[Item]:
        """The new input and the items after it so far."""
        return self.result.to_input_list()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
