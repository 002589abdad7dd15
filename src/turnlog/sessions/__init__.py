"""The names people know. Each is a constructor around `StoredSession` and nothing more."""

from turnlog.sessions.sqlite import AsyncSQLiteSession, SQLiteSession

__all__ = ["AsyncSQLiteSession", "SQLiteSession"]
