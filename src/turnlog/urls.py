"""Store URLs: from a URL to the store that it names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from turnlog.conversation.turns.duration import check_seconds
from turnlog.store import Store
from turnlog.stores.memory import MemoryStore
from turnlog.stores.sqlite import SQLiteStore
from turnlog.stores.sqlite.connections import check_journal_mode

__all__ = ["open_store"]

Options: TypeAlias = dict[str, str]
Opener: TypeAlias = Callable[[SplitResult, Options], Store]


def open_store(url: str, *, lease_seconds: float | None = None, **defaults: str) -> Store:
    """The store that `url` names; nothing is opened before its first use.

        sqlite:///relative.db    sqlite:////absolute.db    memory://
        relative.db              ./folder/any.db           /absolute.db
        postgresql://user:password@host/database           (through asyncpg)
        mysql://user:password@host/database                (through asyncmy; mariadb:// too)
        postgresql+psycopg://…   mysql+aiomysql://…   sqlite+aiosqlite:///file.db, and any
        other async driver of SQLAlchemy
        redis://host:6379/0      rediss://host:6380/0      redis+cluster://host:6379
        dapr://host:50001/store  (the sidecar's gRPC port, and the name of the component)

    All take `?timeout=SECONDS`: for how long they wait for a lock, or for a server that can't be
    reached; SQL databases and Dapr use their driver's own timeout instead. SQLite takes
    `?journal_mode=truncate`, for file systems without shared memory. Redis takes `?prefix=TEXT`
    and `?ttl=SECONDS`, Dapr `?ttl=SECONDS` and `?consistency=strong`, SQL databases
    `?sessions_table=NAME` and `?messages_table=NAME`. All other options are passed to the
    driver.

    All take `?lease_seconds=SECONDS`: how long a run that died keeps others waiting, at most.

    lease_seconds: the same, unless the URL says it.
    defaults: options that the URL may override.

    A store is encrypted by `Encrypted(open_store(url), keyring)`, never by its URL.

    Raises `ValueError` for an unknown scheme or option, `ImportError` for a driver that is
    not installed. The error never contains the URL's password.
    """
    check_seconds(lease_seconds)
    if "://" not in url:
        return _leased(_sqlite_at(_path(url), defaults), lease_seconds)
    parts = _split(url)
    backend, plus, _ = parts.scheme.partition("+")
    opener = _OPENERS.get(parts.scheme) or (_SQL.get(backend) if plus else None)
    if opener is None:
        known = ", ".join(f"{scheme}://" for scheme in _OPENERS if "+" not in scheme)
        raise ValueError(f"no store is known for {parts.scheme}://; use one of {known}")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if not _ENCRYPTING.isdisjoint(options):
        raise ValueError(
            "no URL says how a store is encrypted, since URLs get into logs: write "
            "Encrypted(open_store(url), Keyring.from_file(path)), or --key-file on the command line"
        )
    lasts = options.pop("lease_seconds", None)
    if lasts is not None:
        parts = urlsplit(_without(parts, "lease_seconds"))
        lease_seconds = _seconds(lasts, "lease_seconds")
        check_seconds(lease_seconds)
    return _leased(opener(parts, {**defaults, **options}), lease_seconds)


def _leased(store: Store, seconds: float | None) -> Store:
    store.lease_seconds = seconds
    return store


def _path(text: str) -> str:
    """`text` as a path. Raises `ValueError` if it looks like a URL without its slashes."""
    scheme, colon, _ = text.partition(":")
    if colon and scheme in _OPENERS:
        raise ValueError(f"write {scheme}:// for a URL, or ./{scheme}: for a path of that name")
    return text


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError:
        # Python's own message may contain the password.
        raise ValueError("the URL's host, port or user can't be parsed") from None
    if parts.fragment:
        raise ValueError("the URL has a # in it; write %23 for a # in a name")
    return parts


def _sqlite(parts: SplitResult, options: Options) -> Store:
    if parts.netloc:
        raise ValueError("an SQLite URL names no host: write sqlite:///file.db, with three slashes")
    return _sqlite_at(unquote(parts.path[1:], errors="surrogateescape"), options)


def _sqlite_at(path: str, options: Options) -> Store:
    _refuse_unknown(options, "timeout", "journal_mode")
    if path == ":memory:":
        return MemoryStore()
    return SQLiteStore(
        path,
        timeout=_seconds(options.get("timeout", "30")),
        journal_mode=check_journal_mode(options.get("journal_mode", "wal")),
    )


def _memory(parts: SplitResult, _options: Options) -> Store:
    if parts.netloc or parts.path or parts.query:
        raise ValueError("a memory URL is just memory://, with nothing behind it")
    return MemoryStore()


def _redis(parts: SplitResult, options: Options) -> Store:
    from turnlog.stores.redis import RedisStore  # noqa: PLC0415 - a driver, loaded when asked for

    timeout, ttl = options.pop("timeout", "10"), options.pop("ttl", None)
    prefix = options.pop("prefix", "agents:session")
    return RedisStore.from_url(
        _without(parts, "timeout", "ttl", "prefix"),
        key_prefix=prefix,
        ttl=None if ttl is None else _whole(ttl),
        patience=_seconds(timeout),
    )


def _dapr(parts: SplitResult, options: Options) -> Store:
    from turnlog.stores.dapr import DaprStore, at_address  # noqa: PLC0415 - see _redis

    name = unquote(parts.path.strip("/"))
    if not parts.netloc or not name or "/" in name:
        raise ValueError(
            "a Dapr URL names a sidecar and a component: dapr://localhost:50001/statestore"
        )
    options.pop("timeout", None)
    _refuse_unknown(options, "ttl", "consistency")
    ttl = options.get("ttl")
    return DaprStore(
        name,
        at_address(parts.netloc),
        ttl=None if ttl is None else _whole(ttl),
        consistency=options.get("consistency", "eventual"),  # type: ignore[arg-type] # it checks
    )


def _sql(parts: SplitResult, options: Options) -> Store:
    from turnlog.stores.sqlalchemy import (  # noqa: PLC0415 - see _redis
        SQLAlchemyStore,
        Tables,
    )

    named = Tables()
    tables = Tables(
        options.get("sessions_table", named.sessions), options.get("messages_table", named.messages)
    )
    scheme = _ASYNC_DRIVERS.get(parts.scheme, parts.scheme)
    url = _without(parts, "timeout", "sessions_table", "messages_table")
    return SQLAlchemyStore.from_url(url.replace(parts.scheme, scheme, 1), tables=tables)


def _without(parts: SplitResult, *ours: str) -> str:
    """The URL without `ours`, the options that are not for the driver."""
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in ours]
    # Not with urlunsplit, which drops the slashes of a URL without a host.
    return f"{parts.scheme}://{parts.netloc}{parts.path}{'?' if query else ''}{urlencode(query)}"


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError("ttl must be a whole number of seconds, such as ttl=86400") from None


def _seconds(text: str, option: str = "timeout") -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise ValueError(f"{option} must be a number of seconds, such as {option}=2.5")
    return seconds


def _refuse_unknown(options: Options, *known: str) -> None:
    unknown = sorted(options.keys() - set(known))
    if unknown:
        raise ValueError(f"unknown option {', '.join(unknown)}; known are {', '.join(known)}")


#: Options that people may expect for an encrypted store.
_ENCRYPTING = {"encrypt", "encryption_key", "key_file", "keyring"}

#: What opens a URL, by its scheme. A new backend is a new line.
_OPENERS: dict[str, Opener] = {
    "sqlite": _sqlite,
    "memory": _memory,
    "postgresql": _sql,
    "postgres": _sql,
    "mysql": _sql,
    "mariadb": _sql,
    "dapr": _dapr,
    "redis": _redis,
    "rediss": _redis,
    "redis+cluster": _redis,
    "rediss+cluster": _redis,
}

#: The databases that may be named with a driver of SQLAlchemy, as in "mysql+aiomysql".
_SQL: dict[str, Opener] = dict.fromkeys(("postgresql", "mysql", "mariadb", "sqlite"), _sql)

#: The driver that a scheme without one stands for.
_ASYNC_DRIVERS = {
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "mysql": "mysql+asyncmy",
    "mariadb": "mariadb+asyncmy",
}
