"""A fresh database of each kind, for tests that run on several.

`any_store` is a store, `any_url` the URL of a database that outlives a process. A test that
wants other kinds names them: `@pytest.mark.stores("memory", "sqlite")`. "dapr" is for
tests that have the fixture `sidecar`.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from uuid import uuid4

import pytest

from tests.layers.encrypting import Marked
from tests.servers.dapr_sidecar import STORE
from turnlog import Store
from turnlog.layers.encrypted import Encrypted
from turnlog.stores.dapr import DaprStore, at_address
from turnlog.stores.memory import MemoryStore
from turnlog.stores.redis import RedisStore
from turnlog.stores.sqlalchemy import SQLAlchemyStore, Tables
from turnlog.stores.sqlite import SQLiteStore

__all__ = ["any_store", "any_url", "pytest_generate_tests"]

KINDS = {
    "any_store": ("memory", "sqlite", "postgres", "redis", "encrypted"),
    "any_url": ("sqlite", "postgres", "redis"),
}

IN_MEMORY: Mapping[str, Callable[[], Store]] = {
    "memory": MemoryStore,
    "encrypted": lambda: Encrypted(MemoryStore(), Marked(), keys=MemoryStore()),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the test once for each kind of store that it is marked with, or for all."""
    for fixture in KINDS.keys() & metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("stores")
        metafunc.parametrize(fixture, mark.args if mark else KINDS[fixture], indirect=True)


@pytest.fixture
async def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store of each kind."""
    async with _store(request, tmp_path) as store:
        yield store


def _store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param in IN_MEMORY:
        return IN_MEMORY[request.param]()
    if request.param == "sqlite":
        return SQLiteStore(tmp_path / "conversations.db")
    if request.param == "sqlite+sqlalchemy":
        return SQLAlchemyStore.from_url(f"sqlite+aiosqlite:///{tmp_path / 'conversations.db'}")
    if request.param == "dapr":
        return DaprStore(STORE, at_address(request.getfixturevalue("sidecar").address))
    server, name = request.getfixturevalue(request.param), uuid4().hex[:12]
    if request.param == "redis":
        return RedisStore.from_url(server.url, key_prefix=name)
    tables = Tables(f"sessions_{name}", f"messages_{name}")
    return SQLAlchemyStore.from_url(server.url(), tables=tables)


@pytest.fixture
def any_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database of each kind that outlives a process."""
    if request.param == "sqlite":
        return str(tmp_path / "conversations.db")
    if request.param == "dapr":
        return f"dapr://{request.getfixturevalue('sidecar').address}/{STORE}"
    server = request.getfixturevalue(request.param)
    if request.param == "redis":
        return f"{server.url}?prefix={uuid4().hex}"
    return str(server.url(server.fresh_database()))
