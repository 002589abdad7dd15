"""URLs of SQL databases: short forms, our options, and those of the driver."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import NamedTuple

from sqlalchemy import exc, make_url
from sqlalchemy.engine import URL

from turnlog.stores.options import (
    check_path,
    expanded,
    lease_seconds,
    named,
    refuse_unknown,
    seconds,
    split,
    text_of,
)
from turnlog.stores.tables import Tables

__all__ = ["OPTIONS", "SQLAddress", "read_url"]

#: Our options.
OPTIONS = ("lease_seconds", "messages_table", "patience", "sessions_table")

#: The driver that a scheme without one stands for.
_DRIVERS = {
    "postgresql": "asyncpg",
    "mysql": "asyncmy",
    "mariadb": "asyncmy",
    "sqlite": "aiosqlite",
}
#: What SQLAlchemy itself reads in the URL of a driver, beside the parameters of its `connect`.
_SQLALCHEMYS = {
    "asyncpg": {"plugin", "prepared_statement_cache_size", "prepared_statement_name_func"},
    "asyncmy": {"plugin"},
    "aiomysql": {"plugin"},
}
_MYSQLS = {f"ssl_{name}" for name in ("ca", "capath", "cert", "check_hostname", "cipher", "key")}


class SQLAddress(NamedTuple):
    """An address: what a URL says, beside the defaults."""

    #: The URL for the engine.
    url: URL
    tables: Tables
    patience: float
    #: How long the leases of runs last; None for the default.
    lease_seconds: float | None


def read_url(url: str | os.PathLike[str] | URL, tables: Tables, patience: float) -> SQLAddress:
    """What `url` says; the other arguments are defaults, which its options override.

    url: also a path, for a file of SQLite, and with a short form such as postgres://.

    Raises `ValueError`, without the password, for what is no URL, and for an option that neither
    we nor the driver have.
    """
    made = _with_driver(url if isinstance(url, URL) else _parsed(text_of(url)))
    given = {name: value for name, value in made.query.items() if isinstance(value, str)}
    options = named(given)
    _refuse_unknown(made, options)
    ours = [name for name in given if named([(name, "")]).keys() <= {*OPTIONS}]
    tables = Tables(
        options.get("sessions_table", tables.sessions),
        options.get("messages_table", tables.messages),
    )
    address = made.difference_update_query(ours)
    waits = seconds(options, "patience", patience)
    return SQLAddress(address, tables, waits, lease_seconds(options))


def _parsed(text: str) -> URL:
    if "://" not in text:
        check_path(text)
        return URL.create("sqlite", database=text)
    split(text)
    try:
        return make_url(text)
    except (exc.ArgumentError, ValueError):
        # The text may contain the password.
        raise ValueError(
            "the URL can't be parsed: it must look like postgresql://user:password@host/database, "
            "with special characters of the password in their %-form, such as %40 for @"
        ) from None


def _with_driver(url: URL) -> URL:
    """The URL with the name of the database and the driver that SQLAlchemy has for it."""
    backend, _, driver = url.drivername.partition("+")
    backend = {"postgres": "postgresql"}.get(backend, backend)
    driver = driver or _DRIVERS.get(backend, "")
    url = url.set(drivername=f"{backend}+{driver}" if driver else backend)
    if backend == "sqlite" and url.database:
        return url.set(database=str(_expanded(url.database)))
    mode = url.query.get("sslmode")
    if driver == "asyncpg" and isinstance(mode, str):  # libpq's word for it
        return url.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return url


def _expanded(database: str) -> str | os.PathLike[str]:
    return expanded(database) if database.startswith("~") else database


def _refuse_unknown(url: URL, options: Mapping[str, str]) -> None:
    theirs = _of_the_driver(url.get_driver_name() if "+" in url.drivername else "")
    if theirs is not None:
        refuse_unknown(options, OPTIONS, theirs)
        return
    for name in options.keys() - {*OPTIONS}:
        if get_close_matches(name, OPTIONS, 1, cutoff=0.8):
            refuse_unknown([name], OPTIONS)


def _of_the_driver(driver: str) -> set[str] | None:
    """The options of a driver; None if they are not known, or it is not installed."""
    if driver not in _SQLALCHEMYS:
        return None
    try:
        connect = import_module(driver).connect
    except ImportError:
        return None
    mysqls = _MYSQLS if driver != "asyncpg" else set()
    return {*inspect.signature(connect).parameters, *_SQLALCHEMYS[driver], *mysqls}
