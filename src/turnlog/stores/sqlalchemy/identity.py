"""Identity of a database: equal for all spellings of its URL."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy.engine import URL

from turnlog.stores.addresses import host_of

__all__ = ["identity_of"]

_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}
#: Options that lead to other tables of the same database, or to another server.
_DISTINGUISHING = (
    "options",
    "host",
    "port",
    "unix_socket",
    "server_settings",
    "creator",
    "async_creator",
)


def identity_of(url: URL, options: Mapping[str, Any], otherwise: Hashable) -> Hashable:
    """Equal for two URLs of one database, also with another driver, user or spelling of the host.

    otherwise: the identity where the URL doesn't tell, as for a database in memory.
    """
    kind = url.get_backend_name()
    if kind == "sqlite":
        return _file(url.database, url.query) or otherwise
    if not url.host or not url.database:
        return otherwise
    given = {**options, **options.get("connect_args", {}), **url.query}
    rest = tuple(repr(given[name]) for name in _DISTINGUISHING if name in given)
    port = url.port or _PORTS.get(kind)
    return "mysql" if kind == "mariadb" else kind, host_of(url.host), port, url.database, rest


def _file(database: str | None, options: Mapping[str, Any]) -> Path | None:
    """The file of a database on SQLite, as `SQLiteStore` identifies it; None if it has none."""
    if not database or database == ":memory:":
        return None
    if database.startswith("file:") and "uri" in options:
        if "vfs" in options or options.get("mode") == "memory":
            return None
        database = unquote(urlsplit(database).path)
        if database in {"", ":memory:"}:
            return None
    return Path(os.path.realpath(database))
