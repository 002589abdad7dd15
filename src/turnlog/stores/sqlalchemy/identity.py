"""Identity: which database a URL names, however it is written."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL

__all__ = ["identity_of"]

_PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
#: Options that lead to other tables of the same database, or to another server.
_TELLING = ("options", "host", "port", "unix_socket", "server_settings", "creator", "async_creator")


def identity_of(url: URL, options: Mapping[str, Any], otherwise: Hashable) -> Hashable:
    """Equal for two URLs of one database, whatever driver, user or spelling of the host.

    otherwise: what is equal where the URL doesn't tell, as for a database in memory.
    """
    kind = url.get_backend_name()
    if kind == "sqlite":
        return _file(url.database) or otherwise
    if not url.host or not url.database:
        return otherwise
    host = url.host.lower().rstrip(".")
    place = "localhost" if host in _LOOPBACK else host
    told = {**options, **options.get("connect_args", {}), **url.query}
    rest = tuple(repr(told[name]) for name in _TELLING if name in told)
    port = url.port or _PORTS.get(kind)
    return "mysql" if kind == "mariadb" else kind, place, port, url.database, rest


def _file(database: str | None) -> tuple[str, Path] | None:
    if not database or database == ":memory:" or database.startswith("file:"):
        return None
    return "sqlite", Path(database).resolve()
