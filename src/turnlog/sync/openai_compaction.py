"""`OpenAIResponsesCompactionSession` as a blocking twin, around a session or the twin of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from turnlog.conversation.protocol import Session
from turnlog.sessions import openai_compaction
from turnlog.sessions.compaction.aware import OpenAIResponsesCompactionArgs
from turnlog.sessions.compaction.compacting import Context
from turnlog.sessions.compaction.modes import Mode
from turnlog.sync.holdable import BlockingHoldable
from turnlog.sync.loop import run
from turnlog.sync.session import BlockingSession, awaited

__all__ = ["OpenAIResponsesCompactionSession"]


class OpenAIResponsesCompactionSession(BlockingHoldable, BlockingSession):
    """The blocking twin of `turnlog.OpenAIResponsesCompactionSession`, with the same parameters.

    underlying_session: a session, or the blocking twin of one.
    """

    session: openai_compaction.OpenAIResponsesCompactionSession

    def __init__(
        self,
        session_id: str,
        underlying_session: Session | BlockingSession,
        *,
        client: Any = None,
        model: str | None = None,
        compaction_mode: Mode = "auto",
        should_trigger_compaction: Callable[[Context], bool] | None = None,
        max_rollback_items: int | None = None,
    ) -> None:
        session = openai_compaction.OpenAIResponsesCompactionSession(
            session_id,
            awaited(underlying_session),
            client=client,
            model=model,
            compaction_mode=compaction_mode,
            should_trigger_compaction=should_trigger_compaction,
            max_rollback_items=max_rollback_items,
        )
        super().__init__(session)

    @property
    def client(self) -> Any:
        """The `AsyncOpenAI` that is asked."""
        return self.session.client

    @property
    def underlying_session(self) -> Any:
        """The session that holds the items, as it is awaited."""
        return self.session.underlying_session

    @property
    def model(self) -> str | None:
        """The model that compacts; None: the one of the run."""
        return self.session.model

    @property
    def compaction_mode(self) -> Mode:
        """How the request names the items."""
        return self.session.compaction_mode

    @property
    def max_rollback_items(self) -> int | None:
        """How many items a compaction may have to read."""
        return self.session.max_rollback_items

    @property
    def should_trigger_compaction(self) -> Callable[[Context], bool]:
        """Says whether it is time."""
        return self.session.should_trigger_compaction

    def run_compaction(
        self, args: OpenAIResponsesCompactionArgs | None = None, *, wrapper: Any = None
    ) -> None:
        """Have OpenAI compact the history, if it is time."""
        run(self.session.run_compaction, args, wrapper=wrapper)
