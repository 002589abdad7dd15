"""The session names where users of the OpenAI Agents SDK look for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from turnlog.conversation.session import Session, SessionABC
from turnlog.conversation.settings import SessionSettings
from turnlog.items.merge import SessionInputCallback
from turnlog.lazy import LazyNames
from turnlog.sessions import SQLiteSession
from turnlog.sessions.compaction.aware import (
    OpenAIResponsesCompactionArgs,
    OpenAIResponsesCompactionAwareSession,
    is_openai_responses_compaction_aware_session,
)

if TYPE_CHECKING:
    from turnlog.sessions.openai_compaction import (
        OpenAIResponsesCompactionSession as OpenAIResponsesCompactionSession,  # noqa: PLC0414 - handed on
    )
    from turnlog.sessions.openai_conversations import (
        OpenAIConversationsSession as OpenAIConversationsSession,  # noqa: PLC0414 - handed on
    )

__all__ = [
    "OpenAIResponsesCompactionArgs",
    "OpenAIResponsesCompactionAwareSession",
    "SQLiteSession",
    "Session",
    "SessionABC",
    "SessionInputCallback",
    "SessionSettings",
    "is_openai_responses_compaction_aware_session",
]

_names = LazyNames(
    __name__,
    {
        "OpenAIConversationsSession": "turnlog.sessions.openai_conversations",
        "OpenAIResponsesCompactionSession": "turnlog.sessions.openai_compaction",
    },
)
if not TYPE_CHECKING:  # a type checker would take every misspelled name for one of these
    __getattr__ = _names.resolve


def __dir__() -> list[str]:
    return sorted({*globals(), *_names.listed()})
