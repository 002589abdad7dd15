from turnlog.session import Session, SessionABC, StoredSession
from turnlog.settings import SessionSettings
from turnlog.sessions.sqlite import AsyncSQLiteSession, SQLiteSession
