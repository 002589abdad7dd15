"""`repr` of sessions and stores: class, id, branch and place, and never a secret."""

from collections.abc import Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import create_async_engine

from turnlog import (
    AdvancedSQLiteSession,
    AsyncOpenAI,
    AsyncSQLiteSession,
    DaprSession,
    Encrypted,
    EncryptedSession,
    EncryptSession,
    Keyring,
    OpenAIConversationsSession,
    OpenAIResponsesCompactionSession,
    RedisSession,
    SQLAlchemySession,
    SQLiteSession,
    StoredSession,
    sync,
)
from turnlog.layers.traced import Traced
from turnlog.stores.memory import MemoryStore

HIDDEN = "correct-horse-battery-staple-32b"
POSTGRES = f"postgresql+asyncpg://alice:{HIDDEN}@db.example:5433/chats?password={HIDDEN}"
REDIS = f"redis://alice:{HIDDEN}@cache.example:6380/2"

SHOWN: dict[str, tuple[Callable[[Path], object], str]] = {
    "SQLiteSession": (
        lambda path: SQLiteSession("a", path),
        "SQLiteSession('a', branch='main', store=SQLiteStore('{path}'))",
    ),
    "in memory": (
        lambda _: AsyncSQLiteSession("a"),
        "AsyncSQLiteSession('a', branch='main', store=MemoryStore())",
    ),
    "AdvancedSQLiteSession": (
        lambda path: AdvancedSQLiteSession("a", path),
        "AdvancedSQLiteSession('a', branch='main', store=SQLiteStore('{path}'))",
    ),
    "PostgreSQL": (
        lambda _: SQLAlchemySession.from_url("a", url=POSTGRES),
        "SQLAlchemySession('a', branch='main', "
        "store=SQLAlchemyStore('postgresql://db.example:5433/chats'))",
    ),
    "an engine": (
        lambda _: SQLAlchemySession("a", create_async_engine(POSTGRES)),
        "SQLAlchemySession('a', branch='main', "
        "store=SQLAlchemyStore('postgresql://db.example:5433/chats'))",
    ),
    "SQLite through SQLAlchemy": (
        lambda path: SQLAlchemySession.from_url("a", url=f"sqlite+aiosqlite:///{path}"),
        "SQLAlchemySession('a', branch='main', store=SQLAlchemyStore('sqlite:///{path}'))",
    ),
    "Redis": (
        lambda _: RedisSession.from_url("a", REDIS),
        "RedisSession('a', branch='main', "
        "store=RedisStore('cache.example:6380/2', key_prefix='agents:session'))",
    ),
    "a client of Redis": (
        lambda _: RedisSession("a", Redis.from_url(REDIS), key_prefix="p"),
        "RedisSession('a', branch='main', "
        "store=RedisStore('cache.example:6380/2', key_prefix='p'))",
    ),
    "Dapr": (
        lambda _: DaprSession.from_address(
            "a", state_store_name="chats", dapr_address="sidecar.example:50001"
        ),
        "DaprSession('a', branch='main', store=DaprStore('chats', 'sidecar.example:50001'))",
    ),
    "layers": (
        lambda _: StoredSession(
            "a", Traced(Encrypted(MemoryStore(), Keyring({"k": HIDDEN.encode()}))), branch="b"
        ),
        "StoredSession('a', branch='b', store=Traced(Encrypted(MemoryStore())))",
    ),
    "EncryptSession": (
        lambda path: EncryptSession(SQLiteSession("a", path), HIDDEN),
        "SQLiteSession('a', branch='main', store=Encrypted(SQLiteStore('{path}')))",
    ),
    "EncryptedSession": (
        lambda _: EncryptedSession("a", SQLiteSession("b"), HIDDEN),
        "EncryptedSession('a', SQLiteSession('b', branch='main', store=MemoryStore()))",
    ),
    "compaction": (
        lambda _: OpenAIResponsesCompactionSession(
            "a", SQLiteSession("b"), client=AsyncOpenAI(api_key=HIDDEN)
        ),
        "OpenAIResponsesCompactionSession('a', "
        "SQLiteSession('b', branch='main', store=MemoryStore()))",
    ),
    "Conversations": (
        lambda _: OpenAIConversationsSession("conv_1", AsyncOpenAI(api_key=HIDDEN)),
        "OpenAIConversationsSession('conv_1')",
    ),
    "a twin": (
        lambda _: sync.SQLiteSession(session_id="a"),
        "sync.SQLiteSession('a', branch='main', store=MemoryStore())",
    ),
}


@pytest.mark.parametrize("name", SHOWN)
def test_it_says_what_it_is_and_where(name: str, tmp_path: Path) -> None:
    make, expected = SHOWN[name]
    path = tmp_path / "a.db"
    shown = repr(make(path))
    assert shown == expected.format(path=path)
    assert HIDDEN not in shown
    assert "alice" not in shown
