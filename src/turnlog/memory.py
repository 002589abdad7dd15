"""The session names where users of the OpenAI Agents SDK look for them."""

from turnlog.merge import SessionInputCallback
from turnlog.session import Session, SessionABC
from turnlog.sessions import SQLiteSession
from turnlog.settings import SessionSettings

__all__ = ["SQLiteSession", "Session", "SessionABC", "SessionInputCallback", "SessionSettings"]
