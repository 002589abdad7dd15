"""More session names where users of the OpenAI Agents SDK look for them."""

from turnlog.sessions import AsyncSQLiteSession

__all__ = ["AsyncSQLiteSession"]
