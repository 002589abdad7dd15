"""An encrypted store keeps the contract on databases, and so do sessions, turns and branches.

The wrapped keys lie in the same store on some databases and in another one on others.
"""

from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path

import pytest
from hypothesis import settings
from opentelemetry.sdk.trace import TracerProvider

from tests.layers.encrypting import Marked, Unclosed
from tests.servers.dapr_sidecar import STORE, Sidecar
from tests.servers.databases import PostgresServer
from tests.servers.redis import RedisServer
from tests.sizes import EXAMPLES
from turnlog import StoredSession
from turnlog.layers.encrypted import Encrypted
from turnlog.layers.traced import Traced
from turnlog.store import Store
from turnlog.stores.dapr import DaprStore, at_address
from turnlog.stores.memory import MemoryStore
from turnlog.stores.redis import RedisStore
from turnlog.stores.sqlalchemy import SQLAlchemyStore, Tables
from turnlog.stores.sqlite import SQLiteStore
from turnlog.testing import (
    ForkTests,
    MakeSession,
    StoredSessionTests,
    StoreTests,
    stores_agree,
)
from turnlog.testing.machine import SETTINGS

pytestmark = pytest.mark.slow

_numbers = count(1)


def encrypted(inner: Store, keys: Store | None = None) -> Encrypted:
    return Encrypted(inner, Marked(), keys=keys)


def traced(inner: Store) -> Store:
    return Traced(inner, tracer_provider=TracerProvider(shutdown_on_exit=False))


def fresh() -> Tables:
    """Tables that no other test has."""
    number = next(_numbers)
    return Tables(f"sealed_{number}", f"sealed_messages_{number}")


class _Kit(StoreTests):
    @pytest.fixture
    def other(self) -> Store:
        return encrypted(MemoryStore())


class TestMemory(_Kit):
    """Between two traced ones, with its keys in another store."""

    @pytest.fixture
    async def store(self) -> AsyncIterator[Store]:
        async with traced(encrypted(traced(MemoryStore()), MemoryStore())) as store:
            yield store


class TestSQLite(_Kit):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[Store]:
        async with encrypted(SQLiteStore(tmp_path / "conversations.db")) as store:
            yield store

    @pytest.fixture
    async def twin(self, store: Store, tmp_path: Path) -> AsyncIterator[Store]:
        async with encrypted(SQLiteStore(tmp_path / "conversations.db")) as twin:
            yield twin


class TestPostgreSQL(_Kit):
    @pytest.fixture
    def make(self, postgres: PostgresServer) -> Callable[[], Store]:
        tables = fresh()
        return lambda: encrypted(SQLAlchemyStore.from_url(postgres.url(), tables=tables))

    @pytest.fixture
    async def store(self, make: Callable[[], Store]) -> AsyncIterator[Store]:
        async with make() as store:
            yield store

    @pytest.fixture
    async def twin(self, store: Store, make: Callable[[], Store]) -> AsyncIterator[Store]:
        async with make() as twin:
            yield twin


class TestRedis(_Kit):
    """With its keys in memory, as a process alone could have them."""

    @pytest.fixture
    def make(self, redis: RedisServer) -> Callable[[], Store]:
        prefix = f"sealed-{next(_numbers)}"
        keys = Unclosed(MemoryStore())
        return lambda: encrypted(RedisStore.from_url(redis.url, key_prefix=prefix), keys)

    @pytest.fixture
    async def store(self, make: Callable[[], Store]) -> AsyncIterator[Store]:
        async with make() as store:
            yield store

    @pytest.fixture
    async def twin(self, store: Store, make: Callable[[], Store]) -> AsyncIterator[Store]:
        async with make() as twin:
            yield twin


class TestDapr(_Kit):
    @pytest.fixture
    async def store(self, sidecar: Sidecar) -> AsyncIterator[Store]:
        async with encrypted(DaprStore(STORE, at_address(sidecar.address))) as store:
            yield store

    @pytest.fixture
    async def twin(self, store: Store, sidecar: Sidecar) -> AsyncIterator[Store]:
        other = sidecar.address.replace("127.0.0.1", "localhost")
        async with encrypted(DaprStore(STORE, at_address(other))) as twin:
            yield twin


class TestForks(ForkTests):
    @pytest.fixture(params=["one file", "two files"])
    def store(self, request: pytest.FixtureRequest, tmp_path: Path) -> Store:
        keys = SQLiteStore(tmp_path / "keys.db") if request.param == "two files" else None
        return encrypted(SQLiteStore(tmp_path / "conversations.db"), keys)


class TestForksOfAServersClient(ForkTests):
    @pytest.fixture
    def store(self, redis: RedisServer) -> Store:
        prefix = f"sealed-fork-{next(_numbers)}"
        return encrypted(RedisStore.from_url(redis.url, key_prefix=prefix))


class TestSessions(StoredSessionTests):
    @pytest.fixture(params=["memory", "sqlite"])
    async def make_session(
        self, request: pytest.FixtureRequest, tmp_path: Path
    ) -> AsyncIterator[MakeSession]:
        is_file = request.param == "sqlite"
        inner: Store = SQLiteStore(tmp_path / "conversations.db") if is_file else MemoryStore()
        async with encrypted(inner) as store:
            yield lambda session_id: StoredSession(session_id, store)


class TestBranchSessions(StoredSessionTests):
    @pytest.fixture
    def make_session(self) -> MakeSession:
        store = encrypted(MemoryStore(), MemoryStore())
        return lambda session_id: StoredSession(session_id, store, branch="side")


class TestSessionsOnServers(StoredSessionTests):
    @pytest.fixture(params=["postgres", "redis"])
    async def make_session(self, request: pytest.FixtureRequest) -> AsyncIterator[MakeSession]:
        server: PostgresServer | RedisServer = request.getfixturevalue(request.param)
        inner: Store
        if isinstance(server, RedisServer):
            inner = RedisStore.from_url(server.url, key_prefix=f"sealed-{next(_numbers)}")
        else:
            inner = SQLAlchemyStore.from_url(server.url(), tables=fresh())
        async with encrypted(inner) as store:
            yield lambda session_id: StoredSession(session_id, store)


async def _memory() -> Store:
    return MemoryStore()


@pytest.mark.proof
@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres", "redis"])
def test_each_agrees_with_memory(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    if kind == "postgres":
        url = request.getfixturevalue(kind).url()
    elif kind == "redis":
        url = request.getfixturevalue(kind).url

    async def make() -> Store:
        number = next(_numbers)
        if kind == "sqlite":
            return encrypted(SQLiteStore(tmp_path / f"{number}.db"))
        if kind == "postgres":
            return encrypted(SQLAlchemyStore.from_url(url, tables=fresh()))
        if kind == "redis":
            inner = RedisStore.from_url(url, key_prefix=f"sealed-{number}")
            return encrypted(inner, MemoryStore())
        return encrypted(MemoryStore(), MemoryStore())

    stores_agree(_memory, make, settings=settings(SETTINGS, max_examples=EXAMPLES))
