"""What may be tried again after an error, because trying it twice does no harm."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import uniform
from typing import TypeAlias, TypeVar

from sqlalchemy.exc import DBAPIError, DisconnectionError

__all__ = ["Again", "is_missing_table", "patiently"]

T = TypeVar("T")

#: Asked after a connection was lost: whether the work may be done again.
Again: TypeAlias = Callable[[], Awaitable[bool]]

# Seconds between tries, each half as long to one and a half times; five seconds in all,
# which is enough for a server to come back.
_DELAYS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0)

#: Deadlock, serialization failure, lock wait: the database has undone the work.
_UNDONE = {"40001", "40P01", "1205", "1213"}
#: The server is starting, stopping, or out of reach.
_GONE = {"57P01", "57P02", "57P03", "2002", "2003", "2006", "2013", "2014", "2055", "1053", "1927"}
_MISSING_TABLE = {"42P01", "1146"}


async def patiently(work: Callable[[], Awaitable[T]], again: Again) -> T:
    """Do `work`, and again after errors that undid it, or if `again` allows it.

    Raises the last error as it is.
    """
    for delay in _DELAYS:
        try:
            return await work()
        except (DBAPIError, DisconnectionError, OSError) as error:
            if not await _may_be_repeated(error, again):
                raise
        await asyncio.sleep(uniform(delay / 2, delay * 1.5))  # noqa: S311 - so that no two keep step
    return await work()


def is_missing_table(error: DBAPIError) -> bool:
    """Whether a table is not there."""
    return bool(_codes(error) & _MISSING_TABLE) or "no such table" in str(error.orig)


async def _may_be_repeated(error: Exception, again: Again) -> bool:
    if _codes(error) & _UNDONE:
        return True
    if not _is_lost_connection(error):
        return False
    try:
        return await again()
    except (DBAPIError, DisconnectionError, OSError):
        # The database can't be asked: then its answer can't be known either.
        return False


def _is_lost_connection(error: Exception) -> bool:
    if isinstance(error, DBAPIError):
        codes = _codes(error)
        lost = any(code.startswith("08") for code in codes) or codes & _GONE
        return error.connection_invalidated or bool(lost)
    return True


def _codes(error: Exception) -> set[str]:
    """The database's own codes: an SQLSTATE, MySQL's number, or neither."""
    cause = getattr(error, "orig", None)
    state = getattr(cause, "sqlstate", None)
    numbers = getattr(cause, "args", ())[:1]
    return {str(code) for code in (state, *numbers) if code and isinstance(code, str | int)}
