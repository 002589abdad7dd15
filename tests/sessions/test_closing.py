"""One rule for closing: `await session.close()` or `async with`, whatever the class."""

from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from turnlog import (
    AdvancedSQLiteSession,
    AsyncOpenAI,
    AsyncSQLiteSession,
    EncryptedSession,
    EncryptSession,
    Item,
    OpenAIConversationsSession,
    OpenAIResponsesCompactionSession,
    SessionABC,
    SQLAlchemySession,
    SQLiteSession,
    StoreClosed,
    StoredSession,
    sync,
)
from turnlog.stores.memory import MemoryStore

pytestmark = pytest.mark.anyio

SAID: Item = {"role": "user", "content": "Hi."}
KEY = b64encode(bytes(32)).decode()


Closeable = StoredSession | EncryptedSession | OpenAIResponsesCompactionSession

MAKERS: dict[str, Callable[[Path], Closeable]] = {
    "SQLiteSession": lambda path: SQLiteSession("a", path),
    "SQLiteSession in memory": lambda _: SQLiteSession("a"),
    "AsyncSQLiteSession": lambda path: AsyncSQLiteSession("a", path),
    "AdvancedSQLiteSession": lambda path: AdvancedSQLiteSession("a", path),
    "SQLAlchemySession": lambda path: SQLAlchemySession.from_url(
        "a", url=f"sqlite+aiosqlite:///{path}"
    ),
    "EncryptSession": lambda path: EncryptSession(SQLiteSession("a", path), KEY),
    "EncryptedSession": lambda path: EncryptedSession("a", SQLiteSession("a", path), KEY),
    "EncryptedSession, awaited": lambda path: EncryptedSession(
        "a", AsyncSQLiteSession("a", path), KEY
    ),
    "OpenAIResponsesCompactionSession": lambda path: OpenAIResponsesCompactionSession(
        "a", SQLiteSession("a", path), model="gpt-5-mini"
    ),
}


class Own(SessionABC):
    """A session of somebody who has never heard of `close`."""

    def __init__(self) -> None:
        self.session_id = "own"
        self.items: list[Item] = []

    async def get_items(self, limit: int | None = None) -> list[Item]:
        return self.items

    async def add_items(self, items: list[Item]) -> None:
        self.items += items


class Closing(Own):
    """One with a `close` of its own, which is not awaited."""

    closes = 0

    def close(self) -> None:
        self.closes += 1


@pytest.mark.parametrize("name", MAKERS)
async def test_a_block_closes_what_the_session_has_opened(name: str, tmp_path: Path) -> None:
    session = MAKERS[name](tmp_path / "a.db")
    async with session as same:
        assert same is session
        await same.add_items([SAID])
    with pytest.raises(StoreClosed):
        await session.get_items()


@pytest.mark.parametrize("name", MAKERS)
async def test_close_is_awaited_everywhere_and_may_be_repeated(name: str, tmp_path: Path) -> None:
    session = MAKERS[name](tmp_path / "a.db")
    await session.close()
    await session.close()
    with pytest.raises(StoreClosed):
        await session.get_items()


async def test_sqlite_is_closed_without_await() -> None:
    session = SQLiteSession("a")
    session.close()
    with pytest.raises(StoreClosed):
        await session.get_items()
    wrapped = EncryptedSession("a", SQLiteSession("a"), KEY)
    wrapped.close()
    with pytest.raises(StoreClosed):
        await wrapped.get_items()


async def test_what_was_passed_in_stays_open(tmp_path: Path) -> None:
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'a.db'}")
    store = MemoryStore()
    for session in (SQLAlchemySession("a", engine), StoredSession("a", store)):
        async with session:
            await session.add_items([SAID])
        await session.close()
        assert await session.get_items() == [SAID]
    await engine.dispose()


async def test_a_conversation_leaves_its_client_open() -> None:
    client = AsyncOpenAI(api_key="k")
    async with OpenAIConversationsSession("conv_1", client) as session:
        assert session.conversation_id == "conv_1"
    await session.close()
    assert not client.is_closed()
    await client.close()


async def test_sessions_of_ones_own() -> None:
    async with Own() as own:
        await own.add_items([SAID])
    assert await own.get_items() == [SAID]
    async with Closing() as closing:
        assert closing.closes == 0
    assert closing.closes == 1
    async with EncryptedSession("a", Closing(), KEY) as around:
        pass
    assert around.underlying_session.closes == 1


def test_twins_are_closed_by_a_block(tmp_path: Path) -> None:
    with sync.SQLiteSession("a", tmp_path / "a.db") as session:
        session.add_items([SAID])
    with pytest.raises(StoreClosed):
        session.get_items()
    with sync.StoredSession("a", MemoryStore()) as stored:
        stored.add_items([SAID])
    assert stored.get_items() == [SAID]
