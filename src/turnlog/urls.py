"""Store URLs: from a URL to the store that it names."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeAlias
from urllib.parse import SplitResult, unquote

from turnlog.store import Store
from turnlog.stores.memory import MemoryStore
from turnlog.stores.options import (
    SCHEMES,
    Options,
    check_path,
    lease_seconds,
    named,
    options_of,
    refuse_unknown,
    seconds,
    split,
    text_of,
    whole,
    without,
)
from turnlog.stores.sqlite import PATIENCE, SQLiteStore, Tables
from turnlog.stores.sqlite.connections import check_journal_mode

__all__ = ["open_store"]

# The option of every store that says how long leases last.
_LEASE_OPTION = "lease_seconds"

# The options of all stores.
_OF_ALL = ("patience", _LEASE_OPTION)

Opener: TypeAlias = Callable[[SplitResult, Options], Store]


def open_store(url: str | os.PathLike[str], **defaults: str | float) -> Store:
    """The store that `url` names; nothing is opened before its first use.

        sqlite:///relative.db    sqlite:////absolute.db    sqlite:///~/in_my_home.db
        relative.db              ./folder/any.db           /absolute.db    ~/in_my_home.db
        memory://
        postgresql://user:password@host/database           (through asyncpg; postgres:// too)
        mysql://user:password@host/database                (through asyncmy; mariadb:// too)
        postgresql+psycopg://…   mysql+aiomysql://…   sqlite+aiosqlite:///file.db, and any
        other async driver of SQLAlchemy
        redis://host:6379/0      rediss://host:6380/0      redis+cluster://host:6379
        unix:///socket?db=0
        dapr://host:50001/store  (the sidecar's gRPC port, and the name of the component)

    The table in docs/stores.md lists the options behind a question mark. All take
    `?patience=SECONDS`: for how long they wait for a lock, or try again while a server can't be
    reached. Other options go to the driver; those that it doesn't know are refused.

    defaults: options that the URL may override, such as ``patience=2``. All stores also take
        `lease_seconds`: how long a run that died keeps others waiting, at most.

    A store is encrypted by `Encrypted(open_store(url), keyring)`, never by its URL.

    Raises `ValueError` for an unknown scheme or option, `ImportError` for a driver that is
    not installed. The error never contains the URL's password.
    """
    text, given = text_of(url), named(defaults)
    if "://" not in text:
        check_path(text)
        return _leased(_sqlite_at, text, given)
    parts = split(text)
    backend, plus, _ = parts.scheme.partition("+")
    opener = _OPENERS.get(parts.scheme) or (_SQL.get(backend) if plus else None)
    if opener is None:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise ValueError(f"no store is known for {parts.scheme}://; use one of {known}")
    options = options_of(parts)
    if not _ENCRYPTING.isdisjoint(options):
        raise ValueError(
            "no URL says how a store is encrypted, since URLs get into logs: write "
            "Encrypted(open_store(url), Keyring.from_file(path)), or --key-file on the command line"
        )
    return _leased(opener, split(without(parts, [_LEASE_OPTION])), {**given, **options})


def _leased(opener: Callable[[Any, Options], Store], where: object, options: Options) -> Store:
    """What `opener` opens, with the default of its leases, which is an option of every store."""
    lasts = lease_seconds(options)
    options.pop(_LEASE_OPTION, None)
    store = opener(where, options)
    store.lease_seconds = lasts
    return store


def _sqlite(parts: SplitResult, options: Options) -> Store:
    if parts.netloc:
        raise ValueError("an SQLite URL names no host: write sqlite:///file.db, with three slashes")
    return _sqlite_at(unquote(parts.path[1:], errors="surrogateescape"), options)


def _sqlite_at(path: str, options: Options) -> Store:
    refuse_unknown(options, (*_OF_ALL, "journal_mode", "messages_table", "sessions_table"))
    patience = seconds(options, "patience", PATIENCE)
    if path == ":memory:":
        return MemoryStore()
    return SQLiteStore(
        path,
        tables=_tables(options),
        patience=patience,
        journal_mode=check_journal_mode(options.get("journal_mode", "wal")),
    )


def _memory(parts: SplitResult, options: Options) -> Store:
    if parts.netloc or parts.path or parts.query:
        raise ValueError("a memory URL is just memory://, with nothing behind it")
    refuse_unknown(options, _OF_ALL)  # among the defaults, for any store
    return MemoryStore()


def _redis(parts: SplitResult, options: Options) -> Store:
    from turnlog.stores.redis import (  # noqa: PLC0415 - a driver, loaded when asked for
        OPTIONS,
        PATIENCE,
        RedisStore,
    )

    refuse_unknown(options.keys() - options_of(parts).keys(), OPTIONS)
    return RedisStore.from_url(
        without(parts, OPTIONS),
        key_prefix=options.get("key_prefix", "agents:session"),
        ttl=whole(options, "ttl"),
        patience=seconds(options, "patience", PATIENCE),
    )


def _dapr(parts: SplitResult, options: Options) -> Store:
    from turnlog.stores.dapr import PATIENCE, DaprStore, at_address  # noqa: PLC0415 - see _redis

    name = unquote(parts.path.strip("/"))
    if not parts.netloc or not name or "/" in name:
        raise ValueError(
            "a Dapr URL names a sidecar and a component: dapr://localhost:50001/statestore"
        )
    refuse_unknown(options, (*_OF_ALL, "consistency", "ttl"))
    return DaprStore(
        name,
        at_address(parts.netloc),
        ttl=whole(options, "ttl"),
        consistency=options.get("consistency", "eventual"),  # type: ignore[arg-type] # it checks
        patience=seconds(options, "patience", PATIENCE),
    )


def _sql(parts: SplitResult, options: Options) -> Store:
    from turnlog.stores.sqlalchemy import (  # noqa: PLC0415 - see _redis
        OPTIONS,
        PATIENCE,
        SQLAlchemyStore,
    )

    refuse_unknown(options.keys() - options_of(parts).keys(), OPTIONS)
    return SQLAlchemyStore.from_url(
        without(parts, OPTIONS),
        tables=_tables(options),
        patience=seconds(options, "patience", PATIENCE),
    )


def _tables(options: Options) -> Tables:
    ours = Tables()
    return Tables(
        options.get("sessions_table", ours.sessions), options.get("messages_table", ours.messages)
    )


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
    "unix": _redis,
    "redis+cluster": _redis,
    "rediss+cluster": _redis,
}

#: The databases that may be named with a driver of SQLAlchemy, as in "mysql+aiomysql".
_SQL: dict[str, Opener] = dict.fromkeys(
    ("postgresql", "postgres", "mysql", "mariadb", "sqlite"), _sql
)
