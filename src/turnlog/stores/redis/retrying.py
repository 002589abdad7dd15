"""Transient errors of Redis, after which a call is made again: each write carries a token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import walk_tb

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterError,
    ConnectionError,  # noqa: A004 - the driver's own
    MasterDownError,
    ReadOnlyError,
    RedisClusterException,
    SlotNotCoveredError,
    TimeoutError,  # noqa: A004 - the driver's own
    TryAgainError,
)

__all__ = ["closed_connections_named", "is_transient", "outage"]

#: The server can't be reached, is loading, or is not the master (any more). On a Cluster a
#: slot is being moved; the driver gives up with an error of its own then.
_TRANSIENT = (
    ConnectionError,
    TimeoutError,
    BusyLoadingError,
    ClusterError,
    MasterDownError,
    ReadOnlyError,
    RedisClusterException,
    SlotNotCoveredError,
    TryAgainError,
    OSError,
)

#: Not their subclasses: most of those tell of a server that was reached.
_OUTAGES = {ConnectionError, TimeoutError}

#: The modules that use a connection.
_DRIVER = ("redis.", "asyncio.")


def is_transient(error: Exception) -> bool:
    """Whether the call that failed with `error` may succeed later."""
    return isinstance(error, _TRANSIENT) and not isinstance(error, AuthenticationError)


def outage(error: Exception) -> Exception | None:
    """`error`, if the last try has failed because the server is out of reach."""
    if isinstance(error, RedisClusterException):
        return error if "cannot be connected" in str(error) else None
    return error if type(error) in _OUTAGES or isinstance(error, OSError) else None


@contextmanager
def closed_connections_named() -> Iterator[None]:
    """Raise `ConnectionError` where the driver fails to: issues 2349 and 4287 of redis-py.

    When another task or the server has closed a connection, the driver and asyncio find
    None in its place and raise `AttributeError` or `TypeError`; nothing was sent then. The
    same errors from any other module are bugs and pass unchanged.
    """
    try:
        yield
    except (AttributeError, TypeError) as error:
        if "NoneType" not in str(error) or not _innermost(error).startswith(_DRIVER):
            raise
        raise ConnectionError(
            f"the connection was closed by another task or by the server, which redis-py "
            f"reports as {error!r} (redis-py issue 4287)"
        ) from error


def _innermost(error: BaseException) -> str:
    """The name of the module that raised `error`."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    name: str = frame.f_globals.get("__name__", "")
    return name
