"""Blocking twins: the methods of sessions without `await`."""

from typing import assert_type

import turnlog
from turnlog import Agent, Branch, Runner, RunResult, TResponseInputItem, TurnInfo, Usage
from turnlog.stores.memory import MemoryStore
from turnlog.sync import (
    AdvancedSQLiteSession,
    BlockingSession,
    BlockingStoredSession,
    EncryptedSession,
    EncryptSession,
    OpenAIConversationsSession,
    OpenAIResponsesCompactionSession,
    RedisSession,
    SQLAlchemySession,
    SQLiteSession,
    StoredSession,
    open_store,
    run,
)


def verbs(session: SQLiteSession) -> None:
    session.add_items([{"role": "user", "content": "My name is Alice."}], key="request-7f3a")
    assert_type(session.get_items(3), list[TResponseInputItem])
    assert_type(session.view(), list[TResponseInputItem])
    assert_type(session.pop_item(), TResponseInputItem | None)
    assert_type(session.turns(), list[TurnInfo])
    assert_type(session.branches(), list[Branch])
    assert_type(session.usage(), Usage)
    assert_type(session.usage("agent"), dict[str, Usage])
    assert_type(session.fork("other"), SQLiteSession)
    session.clear_session()


def made(store: turnlog.Store) -> list[BlockingSession]:
    stored = StoredSession("user_123", store)
    advanced = AdvancedSQLiteSession("user_123", "conversations.db")
    branches: list[BlockingStoredSession] = [
        stored,
        advanced,
        SQLAlchemySession.from_url("user_123", url="sqlite+aiosqlite:///conversations.db"),
        RedisSession.from_url("user_123", "redis://localhost"),
    ]
    return [
        *branches,
        OpenAIConversationsSession(),
        OpenAIResponsesCompactionSession("user_123", stored, model="gpt-5-mini"),
        EncryptedSession("user_123", advanced, "key"),
        EncryptSession(stored, b"0" * 32),
    ]


def in_a_run(session: SQLiteSession) -> None:
    result = Runner.run_sync(Agent("Assistant"), "What's my name?", session=session)
    assert_type(result, RunResult)
    assert_type(run(session.session.history), list[TResponseInputItem])


def main() -> None:
    """All of it that asks nobody."""
    with SQLiteSession(session_id="user_123") as session:
        assert_type(session, SQLiteSession)
        verbs(session)
    with open_store("memory://") as store:
        assert StoredSession("user_123", store).history() == []
    assert StoredSession("user_123", MemoryStore()).get_items() == []
