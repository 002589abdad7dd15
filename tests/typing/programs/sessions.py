"""Each class of session, where its own protocol and the one of the SDK are asked for."""

from typing import Any, Protocol, assert_type

import agents
import agents.memory
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from turnlog import (
    AdvancedSQLiteSession,
    Agent,
    AsyncOpenAI,
    AsyncSQLiteSession,
    DaprSession,
    EncryptedSession,
    EncryptSession,
    OpenAIConversationsSession,
    OpenAIResponsesCompactionSession,
    RedisSession,
    Runner,
    Session,
    SessionABC,
    SessionSettings,
    SQLAlchemySession,
    SQLiteSession,
    Store,
    StoredSession,
    TResponseInputItem,
)


class ByProtocol:
    """A session of one's own that inherits nothing."""

    def __init__(self) -> None:
        self.session_id = "user_123"
        self.session_settings: Any = None  # that of the SDK or of Turnlog
        self._items: list[TResponseInputItem] = []

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        return self._items if limit is None else self._items[-limit:]

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        self._items += items

    async def pop_item(self) -> TResponseInputItem | None:
        return self._items.pop() if self._items else None

    async def clear_session(self) -> None:
        self._items.clear()


class Inherited(SessionABC):
    """A session of one's own that inherits, with the two methods that it must have."""

    def __init__(self, session_id: str) -> None:
        self.session_id = session_id
        self._items: list[TResponseInputItem] = []

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        return self._items if limit is None else self._items[-limit:]

    async def add_items(self, items: list[TResponseInputItem]) -> None:
        self._items += items


class OfTheSDK:
    """A session that was written for the SDK alone."""

    session_id: str = "user_123"
    session_settings: agents.memory.SessionSettings | None = None

    async def get_items(self, limit: int | None = None) -> list[agents.TResponseInputItem]:
        return []

    async def add_items(self, items: list[agents.TResponseInputItem]) -> None: ...

    async def pop_item(self) -> agents.TResponseInputItem | None:
        return None

    async def clear_session(self) -> None: ...


class Narrower(SQLiteSession):
    """A session of Turnlog with a method of its own, which calls the one below."""

    async def get_items(self, limit: int | None = None) -> list[TResponseInputItem]:
        return await super().get_items(20 if limit is None else limit)


def ours(session: Session) -> None:
    """Takes what our Runner takes."""


def theirs(session: agents.memory.Session) -> None:
    """Takes what the SDK's Runner takes."""


def in_both_protocols(store: Store, engine: AsyncEngine, redis: Redis, client: AsyncOpenAI) -> None:
    sqlite = SQLiteSession("user_123", "conversations.db", settings=SessionSettings(limit=10))
    sessions = (
        sqlite,
        SQLiteSession("user_123"),
        AsyncSQLiteSession("user_123"),
        AdvancedSQLiteSession(session_id="user_123", create_tables=True),
        SQLAlchemySession("user_123", engine=engine, create_tables=True),
        SQLAlchemySession.from_url("user_123", url="postgresql+asyncpg://host/database"),
        RedisSession("user_123", redis_client=redis, ttl=60),
        RedisSession.from_url("user_123", "redis://localhost", key_prefix="chat"),
        DaprSession.from_address("user_123", state_store_name="statestore"),
        OpenAIConversationsSession(client=client, store=store),
        OpenAIResponsesCompactionSession("user_123", sqlite, model="gpt-5-mini"),
        EncryptedSession("user_123", sqlite, "0" * 44),
        EncryptSession(sqlite, b"0" * 32),
        EncryptSession(ByProtocol(), b"0" * 32),
        StoredSession("user_123", store, branch="main"),
        ByProtocol(),
        Inherited("user_123"),
        Narrower("user_123"),
    )
    for session in sessions:
        ours(session)
        theirs(session)


def by_name(store: Store) -> None:
    """The same one by one, since a union could hide what a checker says of one class."""
    ours(SQLiteSession("user_123"))
    theirs(SQLiteSession("user_123"))
    ours(OpenAIConversationsSession())
    theirs(OpenAIConversationsSession())
    ours(EncryptedSession("user_123", OfTheSDK(), "key"))
    theirs(EncryptedSession("user_123", StoredSession("user_123", store), "key"))
    ours(OpenAIResponsesCompactionSession("user_123", Inherited("user_123"), model="gpt-5-mini"))
    theirs(OpenAIResponsesCompactionSession("user_123", ByProtocol(), model="gpt-5-mini"))
    ours(ByProtocol())
    theirs(ByProtocol())
    ours(Inherited("user_123"))
    theirs(Inherited("user_123"))
    ours(OfTheSDK())
    ours(agents.SQLiteSession("user_123"))


async def held(agent: agents.Agent, session: SQLiteSession) -> str | None:
    async with session.held(policy="queue", key="request-7f3a") as held:
        if held.is_replay:
            return held.text
        result = await agents.Runner.run(agent, "Hi", session=held.session)
        return result.final_output_as(str)


async def under_both_runners(store: Store) -> None:
    agent, sdk_agent = Agent("Assistant"), agents.Agent(name="Assistant")
    session = StoredSession("user_123", store)
    await Runner.run(agent, "Hi", session=session)
    await Runner.run(agent, "Hi", session=agents.SQLiteSession("user_123"))
    await Runner.run(agent, "Hi", session=ByProtocol())
    await Runner.run(agent, "Hi", session=Inherited("user_123"))
    await agents.Runner.run(sdk_agent, "Hi", session=session)
    await agents.Runner.run(sdk_agent, "Hi", session=SQLiteSession("user_123"))
    await agents.Runner.run(sdk_agent, "Hi", session=Inherited("user_123"))


class AsInTheSDK(SQLiteSession):
    """A subclass that closes as the SDK's class does."""

    def close(self) -> None:
        super().close()


class SDKClosable(Protocol):
    """What code that was written for the SDK's class asks for."""

    def close(self) -> None: ...


async def closing(session: SQLiteSession, wrapped: EncryptedSession, stored: StoredSession) -> None:
    closable: SDKClosable = session
    closable.close()
    session.close()
    await session.close()
    await stored.close()
    await wrapped.close()
    await AsyncSQLiteSession("user_123").close()
    async with wrapped as same:
        assert_type(same, EncryptedSession)
    async with Inherited("user_123") as own:
        assert_type(own, Inherited)
    async with OpenAIConversationsSession() as there:
        assert_type(there, OpenAIConversationsSession)
    async with OpenAIResponsesCompactionSession("user_123", stored) as compacting:
        assert_type(compacting, OpenAIResponsesCompactionSession)
