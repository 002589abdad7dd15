"""The session names where users of the OpenAI Agents SDK look for them."""

from turnlog.conversation.session import Session, SessionABC
from turnlog.conversation.settings import SessionSettings
from turnlog.items.merge import SessionInputCallback
from turnlog.sessions import SQLiteSession
from turnlog.sessions.compaction.aware import (
    OpenAIResponsesCompactionArgs,
    OpenAIResponsesCompactionAwareSession,
    is_openai_responses_compaction_aware_session,
)
from turnlog.sessions.openai_compaction import OpenAIResponsesCompactionSession

__all__ = [
    "OpenAIResponsesCompactionArgs",
    "OpenAIResponsesCompactionAwareSession",
    "OpenAIResponsesCompactionSession",
    "SQLiteSession",
    "Session",
    "SessionABC",
    "SessionInputCallback",
    "SessionSettings",
    "is_openai_responses_compaction_aware_session",
]
