"""URLs of stores."""

import os
import traceback
from pathlib import Path

import pytest

from turnlog import Log, Store, open_store
from turnlog.stores.dapr import DaprStore
from turnlog.stores.memory import MemoryStore
from turnlog.stores.redis import RedisStore
from turnlog.stores.sqlalchemy import SQLAlchemyStore
from turnlog.stores.sqlite import SQLiteStore


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///chat.db", "chat.db"),
        ("sqlite:////var/lib/chat.db", "/var/lib/chat.db"),
        ("sqlite:///my%20chats/a%3Fb.db?timeout=3", "my chats/a?b.db"),
        ("chat.db", "chat.db"),
        ("./folder/chat.db", "folder/chat.db"),
        ("/var/lib/100%.db", "/var/lib/100%.db"),
        ("C:\\chats\\my chat.db", "C:\\chats\\my chat.db"),
        ("sqlite:///C:/chats/chat.db", "C:/chats/chat.db"),
        ("./sqlite:chat.db", "sqlite:chat.db"),
        ("sqlite:///issue%237.db", "issue#7.db"),
        ("sqlite:///caf%E9.db", os.fsdecode(b"caf\xe9.db")),
    ],
)
def test_sqlite_urls_and_paths(url: str, path: str) -> None:
    store = open_store(url)
    assert isinstance(store, SQLiteStore)
    assert store.path == Path(os.fspath(path)).absolute()
    assert store.patience == (3.0 if "timeout" in url else 30.0)


def test_defaults_give_way_to_the_url() -> None:
    for url, timeout in (("a.db", 2.0), ("sqlite:///a.db?timeout=7", 7.0)):
        store = open_store(url, patience=2)
        assert isinstance(store, SQLiteStore)
        assert store.patience == timeout


@pytest.mark.parametrize("url", ["memory://", "sqlite:///:memory:", ":memory:"])
def test_memory(url: str) -> None:
    assert isinstance(open_store(url), MemoryStore)
    assert isinstance(open_store("memory://", patience=2), MemoryStore)


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("postgresql://user:p%40ss@host:5432/db?ssl=require", SQLAlchemyStore),
        ("postgres://host/db", SQLAlchemyStore),
        ("postgresql+asyncpg://host/db?sessions_table=chats", SQLAlchemyStore),
        ("mysql://user:secret@host/db?charset=utf8mb4", SQLAlchemyStore),
        ("postgresql+psycopg://host/db?sslmode=require", SQLAlchemyStore),
        ("mysql+asyncmy://host/db", SQLAlchemyStore),
        ("mysql+aiomysql://host/db", SQLAlchemyStore),
        ("mariadb+aiomysql://host/db", SQLAlchemyStore),
        ("mariadb://host/db", SQLAlchemyStore),
        ("sqlite+aiosqlite:///chat.db", SQLAlchemyStore),
        ("dapr://localhost:50001/statestore?ttl=60&consistency=strong", DaprStore),
        ("redis://host:6379/0", RedisStore),
        ("rediss://:secret@host:6380/0?ttl=60&prefix=chats&ssl_cert_reqs=none", RedisStore),
        ("redis+cluster://host:6379?timeout=3", RedisStore),
        ("rediss+cluster://host:6379", RedisStore),
    ],
)
def test_servers(url: str, kind: type[Store]) -> None:
    assert type(open_store(url, patience=2)) is kind


async def _remembers(url: str) -> None:
    async with open_store(url, patience=2) as store, open_store(url) as again:
        await store.append(Log("url"), [b"{}"])
        assert [head.log for head in await again.sessions()] == [Log("url")]
        await again.delete("url")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("server", "driver"),
    [
        ("postgres", "asyncpg"),
        ("postgres", "psycopg"),
        ("mariadb", "asyncmy"),
        ("mariadb", "aiomysql"),
    ],
)
async def test_sql_servers_are_reached(
    server: str, driver: str, request: pytest.FixtureRequest
) -> None:
    running = request.getfixturevalue(server)
    scheme, _, rest = running.url(running.fresh_database()).partition("+")
    await _remembers(f"{scheme}+{driver}{rest[rest.index(':') :]}")


@pytest.mark.anyio
@pytest.mark.parametrize("server", ["redis", "redis_cluster"])
async def test_redis_is_reached(server: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(server).url
    await _remembers(f"{url}?prefix=url-{server}&ttl=60")
    await _remembers(f"{url}?socket_timeout=5&prefix=url-{server}")


@pytest.mark.anyio
async def test_an_async_sqlite_file(tmp_path: Path) -> None:
    await _remembers(f"sqlite+aiosqlite:///{tmp_path}/chat.db")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("oracle://user:hunter2@host/db", "no store is known for oracle://; use one of sqlite://"),
        ("postgresql+psycopg2://u:hunter2@host/db", "blocks: use one for asyncio"),
        ("mysql+nothing://u:hunter2@host/db", "SQLAlchemy has no dialect for mysql\\+nothing://"),
        ("oracle+oracledb://u:hunter2@host/db", "no store is known for oracle"),
        ("sqlite://host/file.db", "with three slashes"),
        ("sqlite:///a.db?pool=3", "unknown option pool; known are journal_mode"),
        ("sqlite:///a.db?timeout=soon", "patience must be a number of seconds"),
        ("sqlite:///a.db?timeout=-1", "patience must be a number of seconds"),
        ("sqlite:///issue#7.db", "write %23 for a #"),
        ("sqlite:chat.db", "write sqlite:// for a URL"),
        ("memory:", "write memory:// for a URL"),
        ("redis://user:hunter2\u2100@host/db", "can't be parsed"),
        ("redis://[user:hunter2@host/db", "can't be parsed"),
        ("memory://somewhere", "just memory://"),
        ("sqlite://", "is not the path of a file"),
        ("dapr://localhost:50001", "names a sidecar and a component"),
        ("dapr://localhost:50001/a?consistency=soon", "consistency"),
        ("dapr://localhost:50001/a?pool=1", "unknown option pool"),
        ("redis://:hunter2@host/0?ttl=soon", "ttl must be a whole number"),
        ("redis://:hunter2@host/0?ttl=0", "ttl is 0"),
        ("postgresql://u:hunter2@host/db?messages_table=turnlog_x", "are reserved"),
        ("", "is not the path of a file"),
    ],
)
def test_what_names_no_store(url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        open_store(url)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("option", ["encrypt", "encryption_key", "key_file", "keyring"])
@pytest.mark.parametrize("url", ["sqlite:///a.db", "memory://", "postgresql://host/db"])
def test_no_url_holds_a_key(url: str, option: str) -> None:
    with pytest.raises(ValueError, match=r"Encrypted\(open_store\(url\), .*--key-file") as raised:
        open_store(f"{url}?{option}=hunter2")
    assert "hunter2" not in str(raised.value)
