"""The SDK's names around compaction: the arguments, and which sessions compact themselves."""

from __future__ import annotations

from typing import Any, Protocol, TypedDict, TypeGuard, runtime_checkable

from turnlog.conversation.protocol import Session
from turnlog.sessions.compaction.modes import Mode

__all__ = [
    "OpenAIResponsesCompactionArgs",
    "OpenAIResponsesCompactionAwareSession",
    "is_openai_responses_compaction_aware_session",
]


class OpenAIResponsesCompactionArgs(TypedDict, total=False):
    """The arguments of `run_compaction`.

    response_id: of the newest response of the model.
    compaction_mode: instead of that of the session.
    store: whether OpenAI has stored the response.
    force: whether to compact without asking if it is time.
    """

    response_id: str
    compaction_mode: Mode
    store: bool
    force: bool


@runtime_checkable
class OpenAIResponsesCompactionAwareSession(Session, Protocol):
    """A session that compacts itself when a Runner asks."""

    async def run_compaction(self, args: OpenAIResponsesCompactionArgs | None = None) -> None:
        """Compact, if it is time."""
        ...


def is_openai_responses_compaction_aware_session(
    session: Any,
) -> TypeGuard[OpenAIResponsesCompactionAwareSession]:
    """Whether `session` compacts itself: whether it has a method `run_compaction`."""
    return callable(getattr(session, "run_compaction", None))
