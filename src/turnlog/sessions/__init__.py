"""Session classes: one for each kind of database, each a constructor over `StoredSession`."""

from turnlog.sessions.advanced import AdvancedSQLiteSession
from turnlog.sessions.sqlite import AsyncSQLiteSession, SQLiteSession

__all__ = ["AdvancedSQLiteSession", "AsyncSQLiteSession", "SQLiteSession"]
