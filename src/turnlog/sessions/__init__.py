"""The session classes that people know: constructors around `StoredSession`."""

from turnlog.sessions.sqlite import AsyncSQLiteSession, SQLiteSession

__all__ = ["AsyncSQLiteSession", "SQLiteSession"]
