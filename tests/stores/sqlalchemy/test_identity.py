"""Identity: two handles on one database are equal, and two databases never are."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from turnlog.stores.sqlalchemy import SQLAlchemyStore, Tables
from turnlog.stores.sqlite import SQLiteStore

POSTGRESQL = "postgresql+asyncpg://localhost/chats"
MYSQL = "mysql+asyncmy://localhost/chats"


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+asyncpg://app:secret@localhost/chats",
        "postgresql+asyncpg://other@127.0.0.1:5432/chats?ssl=prefer",
        "postgresql+psycopg://[::1]/chats",
        "postgresql+psycopg://LOCALHOST./chats?application_name=worker",
    ],
)
def test_urls_of_one_postgresql(url: str) -> None:
    expected = SQLAlchemyStore.from_url(POSTGRESQL).identity
    options = {"pool_size": 2, "connect_args": {"timeout": 5}}
    for store in (
        SQLAlchemyStore.from_url(url),
        SQLAlchemyStore.from_url(url, engine_kwargs=options),
        SQLAlchemyStore(create_async_engine(url)),
    ):
        assert store.identity == expected
        assert hash(store.identity) == hash(expected)


@pytest.mark.parametrize(
    "url",
    [
        "mysql+asyncmy://app:secret@127.0.0.1:3306/chats",
        "mysql+aiomysql://localhost/chats?charset=utf8mb4",
        "mariadb+asyncmy://localhost/chats",
    ],
)
def test_urls_of_one_mysql(url: str) -> None:
    assert SQLAlchemyStore.from_url(url).identity == SQLAlchemyStore.from_url(MYSQL).identity


def test_databases_that_differ() -> None:
    urls = [
        POSTGRESQL,
        MYSQL,
        "postgresql+asyncpg://localhost/others",
        "postgresql+asyncpg://localhost:5433/chats",
        "postgresql+asyncpg://elsewhere/chats",
        "postgresql+psycopg://localhost/chats?options=-csearch_path%3Dother",
        "mysql+asyncmy://localhost:3307/chats",
    ]
    stores = [SQLAlchemyStore.from_url(url) for url in urls]
    elsewhere = {"server_settings": {"search_path": "other"}}
    stores += [
        SQLAlchemyStore.from_url(POSTGRESQL, engine_kwargs={"connect_args": elsewhere}),
        SQLAlchemyStore.from_url(POSTGRESQL, tables=Tables(messages="others")),
    ]
    assert len({store.identity for store in stores}) == len(stores)


def test_names_of_one_file(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "a.db")
    names = [f"{tmp_path}/a.db", f"{tmp_path}/b/../a.db", f"{tmp_path}/link.db"]
    urls = [f"sqlite+aiosqlite:///{name}" for name in names]
    urls += [f"sqlite+aiosqlite:///file:{names[1]}?uri=true&mode=rwc"]
    identities = {SQLAlchemyStore.from_url(url).identity for url in urls}
    # The other store on such a file is meant too.
    assert identities == {SQLiteStore(names[0]).identity}
    other = SQLAlchemyStore.from_url(f"sqlite+aiosqlite:///{tmp_path}/b/a.db")
    assert other.identity not in identities


def test_one_engine_is_one_database() -> None:
    for url in ("sqlite+aiosqlite://", "sqlite+aiosqlite:///file:x?mode=memory&uri=true"):
        engine = create_async_engine(url, poolclass=StaticPool)
        same: list[AsyncEngine | Engine] = [
            engine,
            engine.execution_options(isolation_level="AUTOCOMMIT"),
            engine.sync_engine,
        ]
        assert len({SQLAlchemyStore(each).identity for each in same}) == 1
    # A socket, whose place only the driver knows.
    plain = create_engine("postgresql+psycopg:///chats")
    assert SQLAlchemyStore(plain).identity == SQLAlchemyStore(plain).identity


def test_every_database_in_memory_is_its_own() -> None:
    url = "sqlite+aiosqlite:///:memory:"
    stores = [SQLAlchemyStore.from_url(url) for _ in range(2)]
    stores += [SQLAlchemyStore(create_async_engine(url)) for _ in range(2)]
    assert len({store.identity for store in stores}) == 4
