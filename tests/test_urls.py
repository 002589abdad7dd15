"""URLs of stores."""

import os
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from turnlog import (
    AdvancedSQLiteSession,
    AsyncSQLiteSession,
    DaprSession,
    Log,
    RedisSession,
    SQLAlchemySession,
    SQLiteSession,
    Store,
    open_store,
    sync,
)
from turnlog.stores.dapr import DaprStore
from turnlog.stores.memory import MemoryStore
from turnlog.stores.redis import RedisStore
from turnlog.stores.sqlalchemy import SQLAlchemyStore
from turnlog.stores.sqlite import SQLiteStore, Tables


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


# The same at every entry point


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    (folder / "~").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("url", ["~/a.db", "sqlite:///~/a.db", "sqlite:///%7E/a.db"])
def test_the_home_directory(url: str, home: Path) -> None:
    for store in (open_store(url), sync.open_store(url).store):
        assert isinstance(store, SQLiteStore)
        assert store.path == home / "a.db"


@pytest.mark.parametrize("name", ["~", "~a.db", "a~/b.db", "sub/~/c.db"])
def test_what_is_no_home_directory_is_meant_literally(name: str, home: Path) -> None:
    store = open_store(name)
    assert isinstance(store, SQLiteStore)
    assert store.path == home / name
    literal = open_store(home / "~" / "a.db")
    assert isinstance(literal, SQLiteStore)
    assert literal.path == home / "~" / "a.db"


@pytest.mark.anyio
async def test_sessions_find_the_home_directory(home: Path) -> None:
    made = {
        "plain": SQLiteSession("s", "~/plain.db"),
        "path": SQLiteSession("s", Path("~/path.db")),
        "advanced": AdvancedSQLiteSession("s", "~/advanced.db", create_tables=True),
        "shared": AsyncSQLiteSession("s", "~/shared.db"),
        "alchemy": SQLAlchemySession.from_url("s", "sqlite:///~/alchemy.db"),
        "driver": SQLAlchemySession.from_url("s", "sqlite+aiosqlite:///~/driver.db"),
        "file": SQLAlchemySession.from_url("s", home / "file.db"),
        "tilde": SQLAlchemySession.from_url("s", "~/tilde.db"),
    }
    for name, session in made.items():
        await session.add_items([{"role": "user", "content": "hello"}])
        await session.store.aclose()
        assert (home / f"{name}.db").exists(), name


def _by_session(url: str) -> Store:
    return SQLAlchemySession.from_url("s", url).store


def _by_twin(url: str) -> Store:
    return sync.SQLAlchemySession.from_url("s", url).session.store


def _by_redis(url: str) -> Store:
    return RedisSession.from_url("s", url).store


def _by_redis_twin(url: str) -> Store:
    return sync.RedisSession.from_url("s", url).session.store


SQL = {"open_store": open_store, "session": _by_session, "twin": _by_twin}
REDIS = {"open_store": open_store, "session": _by_redis, "twin": _by_redis_twin}

SAME_DATABASE = [
    "postgres://u:p@host/db",
    "postgresql://u:p@host/db",
    "postgres+asyncpg://u:p@host:5432/db",
    "postgresql+asyncpg://u:p@host/db?sslmode=require",
    "postgresql+psycopg://u:p@host/db?sslmode=require&application_name=a",
    "POSTGRESQL://u:p@HOST/db",
    "Postgres+AsyncPG://u:p@host./db",
]


@pytest.mark.parametrize("entry", SQL)
@pytest.mark.parametrize("url", SAME_DATABASE)
def test_one_database_by_any_name(entry: str, url: str) -> None:
    store = SQL[entry](url)
    assert isinstance(store, SQLAlchemyStore)
    assert store.identity == open_store(SAME_DATABASE[0]).identity


@pytest.mark.parametrize("entry", SQL)
def test_a_file_by_its_uri(entry: str) -> None:
    store = SQL[entry]("sqlite+aiosqlite:///file:chat.db?mode=rwc&cache=private&uri=true")
    assert isinstance(store, SQLAlchemyStore)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@[::1]:5433/db", "SQLAlchemyStore('postgresql://[::1]:5433/db')"),
        ("mysql://u:p@[2001:db8::1]/db", "SQLAlchemyStore('mysql://[2001:db8::1]/db')"),
        ("postgresql://u:p@/db?host=/run/pg", "SQLAlchemyStore('postgresql:///run/pg/db')"),
        ("redis://:p@[2001:db8::1]:6380/1", "RedisStore('[2001:db8::1]:6380/1', key_prefix='x')"),
        ("unix://:p@/run/redis.sock?db=2", "RedisStore('/run/redis.sock/2', key_prefix='x')"),
        ("dapr://[2001:db8::1]:50001/state", "DaprStore('state', '[2001:db8::1]:50001')"),
    ],
)
def test_addresses_are_shown_as_urls_have_them(url: str, shown: str) -> None:
    options = {"key_prefix": "x"} if "redis" in url else {}
    assert repr(open_store(url, **options)) == shown


def test_a_file_whose_name_ends_with_white_space(tmp_path: Path) -> None:
    """It is taken as a path, and where it is there already."""
    assert isinstance(open_store(tmp_path / "chat.db "), SQLiteStore)
    (tmp_path / " old").touch()
    assert isinstance(open_store(f"{tmp_path}/ old"), SQLiteStore)
    (tmp_path / "old ").touch()
    assert isinstance(open_store(f"{tmp_path}/old "), SQLiteStore)
    with pytest.raises(ValueError, match="white space"):
        SQLiteSession("s", f"{tmp_path}/new\n")
    SQLiteSession("s", tmp_path / "new ").close()
    SQLiteSession("s", f"{tmp_path}/old ").close()


@pytest.mark.parametrize("entry", SQL)
@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+asyncmy", "mariadb+aiomysql"])
def test_mysql_by_any_name(entry: str, scheme: str) -> None:
    assert isinstance(SQL[entry](f"{scheme}://u:p@host/db?charset=utf8mb4"), SQLAlchemyStore)


@pytest.mark.parametrize("entry", SQL)
def test_options_of_ours_in_any_sql_url(entry: str) -> None:
    store = SQL[entry]("postgres://h/db?sessions_table=s&messages_table=m&timeout=3&ssl=require")
    assert isinstance(store, SQLAlchemyStore)
    assert store.tables == Tables("s", "m")


@pytest.mark.parametrize("entry", REDIS)
def test_options_of_ours_in_any_redis_url(entry: str) -> None:
    url = "redis://host/1?prefix=chats&ttl=60&patience=3&socket_timeout=5"
    store = REDIS[entry](url)
    same = open_store("redis://host/1?key_prefix=chats")
    assert store.identity == same.identity


@pytest.mark.parametrize(
    ("entries", "url"), [(SQL, "postgres://host/db"), (REDIS, "redis://host")], ids=["sql", "redis"]
)
def test_leases_in_any_url(entries: dict[str, Callable[[str], Store]], url: str) -> None:
    for entry in entries.values():
        assert entry(f"{url}?lease_seconds=12").lease_seconds == 12.0
        assert entry(url).lease_seconds is None
        with pytest.raises(ValueError, match="lease_seconds must be positive and finite, and is 0"):
            entry(f"{url}?lease_seconds=0")


def test_options_of_sqlite() -> None:
    store = open_store("sqlite:///a.db?sessions_table=s&messages_table=m&patience=3")
    assert isinstance(store, SQLiteStore)
    assert (store.tables, store.patience) == (Tables("s", "m"), 3.0)
    assert SQLiteSession("s", "a.db", patience=3).store.patience == 3.0  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgres://u:hunter2@h/db?patiense=3", "unknown option patiense; known are lease_s"),
        ("postgresql://u:hunter2@h/db?channel_binding=x", "of the driver: .*statement_cache_size"),
        ("mysql://u:hunter2@h/db?pool=3", "of the driver: .*connect_timeout"),
        ("mysql+aiomysql://u:hunter2@h/db?pool=3", "of the driver: .*connect_timeout"),
        ("postgresql+psycopg://u:hunter2@h/db?patiense=3", "unknown option patiense"),
        ("postgresql+psycopg2://u:hunter2@h/db", "asyncio, which postgresql:// stands for"),
        ("mysql+pymysql://u:hunter2@h/db", "asyncio, which mysql:// stands for"),
        ("postgres://u:p@hunter2:word@h/db", "special characters of the password"),
        ("postgres://u:hunter2@[h/db", "can't be parsed"),
        ("postgres://u:hunter2@h/db?timeout=1&patience=2", "the same option"),
        ("postgres://u:hunter2@h/db?patience=soon", "patience must be a number"),
        ("sqlite:chat.db", "write sqlite:// for a URL"),
        (" postgres://u:hunter2@h/db", "begins or ends with white space"),
        ("postgres://u:hunter2@h/db\n", "begins or ends with white space"),
        ("chat.db\n", "begins or ends with white space"),
        ("sqlite+aiosqlite:///chat.db?pool=3", "unknown option pool"),
        ("sqlite+aiosqlite:///chat.db?mode=ro", "unknown option mode"),
        ("sqlite+aiosqlite:///file:chat.db?uri=true&mod=ro", "unknown option mod; .*mode, modeof"),
    ],
)
@pytest.mark.parametrize("entry", SQL)
def test_what_no_sql_url_may_say(entry: str, url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        SQL[entry](url)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "redis://:hunter2@h/0?pool=3",
            "unknown option pool; known are key_prefix, lease_seconds, p",
        ),
        ("redis+cluster://:hunter2@h?pool=3", "of the driver: .*read_from_replicas"),
        ("redis://:hunter2@h/0?ttl=soon", "ttl must be a whole number"),
        ("redis://:hunter2@h/0?prefix=a&key_prefix=b", "the same option"),
        ("redis://:hunter2@h:port/0", "special characters of a password"),
    ],
)
@pytest.mark.parametrize("entry", REDIS)
def test_what_no_redis_url_may_say(entry: str, url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        REDIS[entry](url)
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_url_of_another_kind() -> None:
    with pytest.raises(ValueError, match="a URL of Redis begins with redis://, rediss://"):
        RedisSession.from_url("s", "localhost:6379")
    with pytest.raises(ValueError, match="only on postgresql, mysql"):
        SQLAlchemySession.from_url("s", "oracle://host/db")
    with pytest.raises(ValueError, match=r"is host:port.*open_store"):
        DaprSession.from_address("s", state_store_name="x", dapr_address="dapr://host:50001/x")


def test_defaults_are_checked_too() -> None:
    for url in ("memory://", "a.db", "redis://host", "postgres://host/db", "dapr://host:50001/a"):
        with pytest.raises(ValueError, match="unknown option pashence"):
            open_store(url, pashence=3)


@pytest.mark.parametrize("patience", [-1, float("nan")])
def test_patience_is_checked_at_every_constructor(patience: float) -> None:
    for make in (
        lambda: SQLiteSession("s", "a.db", patience=patience),
        lambda: AdvancedSQLiteSession("s", "a.db", patience=patience),
        lambda: SQLAlchemySession.from_url("s", "postgres://h/db", patience=patience),
        lambda: RedisSession.from_url("s", "redis://h", patience=patience),
        lambda: DaprSession.from_address("s", state_store_name="x", patience=patience),
    ):
        with pytest.raises(ValueError, match="patience must be"):
            make()
    with pytest.raises(TypeError, match="patience must be a number of seconds, not a str"):
        SQLiteSession("s", "a.db", patience="3")  # type: ignore[arg-type]
