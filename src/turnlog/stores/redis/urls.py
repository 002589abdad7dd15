"""URLs of Redis: our options behind the question mark, and those of the client."""

from __future__ import annotations

import inspect
import re
from functools import lru_cache
from typing import NamedTuple

from redis.asyncio import ConnectionPool, Redis, RedisCluster
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection

from turnlog.stores.options import (
    lease_seconds,
    options_of,
    refuse_unknown,
    seconds,
    split,
    text_of,
    whole,
    without,
)

__all__ = ["OPTIONS", "RedisAddress", "read_url"]

#: Our options.
OPTIONS = ("key_prefix", "lease_seconds", "patience", "ttl")

_SCHEMES = ("redis", "rediss", "unix", "redis+cluster", "rediss+cluster")

#: The path of a URL: the client takes any other one for database 0.
_DATABASE = re.compile(r"/?|/\d+/?")


class RedisAddress(NamedTuple):
    """An address: what a URL says, beside the defaults."""

    #: The URL for the client.
    url: str
    key_prefix: str
    ttl: int | None
    patience: float
    #: How long the leases of runs last; None for the default.
    lease_seconds: float | None


def read_url(url: str, key_prefix: str, ttl: int | None, patience: float) -> RedisAddress:
    """What `url` says; the other arguments are defaults, which its options override.

    Raises `ValueError`, without the password, for another scheme, and for an option that neither
    we nor the client have.
    """
    parts = split(text_of(url))
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"a URL of Redis begins with {'://, '.join(_SCHEMES)}://")
    if parts.scheme in {"redis", "rediss"} and not _DATABASE.fullmatch(parts.path):
        raise ValueError("a URL of Redis ends with the number of a database: redis://host:6379/0")
    options = options_of(parts)
    refuse_unknown(options, OPTIONS, _of_the_client(parts.scheme.endswith("+cluster")))
    given = whole(options, "ttl")
    return RedisAddress(
        without(parts, OPTIONS),
        options.get("key_prefix", key_prefix),
        ttl if given is None else given,
        seconds(options, "patience", patience),
        lease_seconds(options),
    )


@lru_cache(maxsize=2)
def _of_the_client(is_cluster: bool) -> frozenset[str]:
    """The options of `redis`."""
    connections = (Connection, SSLConnection, UnixDomainSocketConnection)
    parts = [part for kind in connections for part in kind.__mro__ if part is not object]
    kinds = [RedisCluster] if is_cluster else [Redis, ConnectionPool, *parts]
    names = {name for kind in kinds for name in inspect.signature(kind).parameters}
    return frozenset(names - {"args", "kwargs", "connection_kwargs"})
