"""Stores on databases that SQLAlchemy reaches keep the contract, and so do their sessions."""

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import create_engine

from tests.servers.databases import MariaDBServer, PostgresServer
from tests.sizes import EXAMPLES
from turnlog.sessions.sqlalchemy import SQLAlchemySession
from turnlog.store import Store
from turnlog.stores.memory import MemoryStore
from turnlog.stores.sqlalchemy import SQLAlchemyStore, Tables
from turnlog.testing import (
    ClosableSessionTests,
    MakeSession,
    MakeStore,
    StoreTests,
    stores_agree,
)
from turnlog.testing.machine import SETTINGS

pytestmark = pytest.mark.slow

_numbers = count(1)


def fresh() -> Tables:
    """Tables that no other test has: sooner made than a database."""
    number = next(_numbers)
    return Tables(f"sessions_{number}", f"messages_{number}")


@pytest.fixture(params=["postgres", "mariadb", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/conversations.db"
    server: PostgresServer | MariaDBServer = request.getfixturevalue(request.param)
    return server.url()


@pytest.fixture
def tables() -> Tables:
    return fresh()


class TestByURL(StoreTests):
    @pytest.fixture
    async def store(self, url: str, tables: Tables) -> AsyncIterator[Store]:
        async with SQLAlchemyStore.from_url(url, tables=tables) as store:
            yield store

    @pytest.fixture
    async def twin(self, store: Store, url: str, tables: Tables) -> AsyncIterator[Store]:
        # Other options mean another engine, with connections of its own, like another
        # process has.
        options = {"pool_recycle": 3600}
        async with SQLAlchemyStore.from_url(url, tables=tables, engine_kwargs=options) as twin:
            yield twin


class TestOnAThread(StoreTests):
    """An engine that blocks."""

    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        engine = create_engine(f"sqlite:///{tmp_path}/conversations.db")
        async with SQLAlchemyStore(engine) as store:
            yield store
        engine.dispose()


class TestOnAThreadInMemory(StoreTests):
    @pytest.fixture
    async def store(self) -> AsyncIterator[Store]:
        engine = create_engine("sqlite://")
        async with SQLAlchemyStore(engine) as store:
            yield store
        engine.dispose()


class TestSQLAlchemySession(ClosableSessionTests):
    @pytest.fixture
    async def make_session(self, url: str, tables: Tables) -> AsyncIterator[MakeSession]:
        made: list[SQLAlchemySession] = []

        def make(session_id: str) -> SQLAlchemySession:
            session = SQLAlchemySession.from_url(
                session_id,
                url=url,
                sessions_table=tables.sessions,
                messages_table=tables.messages,
            )
            made.append(session)
            return session

        yield make
        for session in made:
            await session.store.aclose()


@pytest.fixture
def make_store(url: str) -> MakeStore:
    async def make() -> Store:
        return SQLAlchemyStore.from_url(url, tables=fresh())

    return make


async def _memory() -> Store:
    return MemoryStore()


@pytest.mark.proof
def test_each_agrees_with_memory(make_store: MakeStore) -> None:
    fewer = settings(SETTINGS, max_examples=EXAMPLES)
    stores_agree(_memory, make_store, settings=fewer)
