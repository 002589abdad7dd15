"""Retries: which errors of a database allow the same work to be done again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias, TypeVar

from sqlalchemy.exc import DBAPIError, DisconnectionError

from turnlog.stores.retrying import backoff, retry

__all__ = [
    "PATIENCE",
    "Again",
    "OutOfReach",
    "Undone",
    "is_denied",
    "is_missing",
    "is_transient",
    "retried",
]

T = TypeVar("T")

#: Asked after a connection was lost: whether the work may be done again.
Again: TypeAlias = Callable[[], Awaitable[bool]]

#: Seconds for which work is tried again by default: enough for a server to come back.
PATIENCE = 10.0
#: The first delay between tries, and the longest.
_DELAYS = 0.01, 1.0

#: Deadlock, serialization failure, lock wait, a table being made: the database has undone it.
_UNDONE = {"40001", "40P01", "1205", "1213", "1684"}
#: The server is starting, stopping, or out of reach.
_GONE = {"57P01", "57P02", "57P03", "2002", "2003", "2006", "2013", "2014", "2055", "1053", "1927"}
#: A table, or a column of ours in a shared table.
_MISSING = {"42P01", "42703", "1146", "1054"}
_SQLITE_TEXTS = ("no such table", "no such column", "has no column")
#: No right to do it, or none on a server that only reads.
_DENIED = {"42501", "25006", "1044", "1142", "1227", "1290", "1792", "1836"}

#: Errors of a driver when a connection can't be made, or is gone.
_LOST = (DisconnectionError, OSError, EOFError)
#: Texts of libpq for a server that starts or stops; it has no code for errors before a login.
_LIBPQ_TEXTS = (
    "starting up",
    "shutting down",
    "recovery",
    "not yet accepting connections",
    "terminating connection",
)


class Undone(Exception):
    """The work failed and may be done again: it left nothing behind, or twice does no harm.

    error: why it failed.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class OutOfReach(Exception):
    """The server could not be reached, however often it was tried.

    error: the driver's, of the last try.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


async def retried(work: Callable[[], Awaitable[T]], again: Again, patience: float) -> T:
    """Do `work`, and again after errors that undid it, or if `again` allows it.

    patience: the seconds after which no further try begins.

    Raises the last error unchanged, but `OutOfReach` if no try has reached the server.
    """

    async def attempt() -> T:
        try:
            return await work()
        except (DBAPIError, *_LOST) as error:
            if await _may_be_repeated(error, again):
                raise Undone(error) from None
            raise

    try:
        return await retry(attempt, backoff(*_DELAYS, patience), _is_undone)
    except Undone as undone:
        last = undone.error
    # The error of a lock on the schema, which another process holds, has a text.
    is_of_a_lock = isinstance(last, TimeoutError) and bool(last.args)
    if is_lost_connection(last) and not is_of_a_lock:
        raise OutOfReach(last)
    raise last


def _is_undone(error: Exception) -> bool:
    return isinstance(error, Undone)


def is_missing(error: DBAPIError) -> bool:
    """Whether a table is missing, or a column of ours."""
    return bool(_codes(error) & _MISSING) or any(text in str(error.orig) for text in _SQLITE_TEXTS)


def is_denied(error: DBAPIError) -> bool:
    """Whether the role or the server may not do it."""
    return bool(_codes(error) & _DENIED) or "readonly database" in str(error.orig)


def is_transient(error: Exception) -> bool:
    """Whether work that failed like this, and left nothing behind, may succeed later."""
    return bool(_codes(error) & _UNDONE) or is_lost_connection(error)


async def _may_be_repeated(error: Exception, again: Again) -> bool:
    if _codes(error) & _UNDONE:
        return True
    if not is_lost_connection(error):
        return False
    try:
        return await again()
    except (DBAPIError, OutOfReach, *_LOST):
        # The database can't be asked, so whether the work was done is not known.
        return False


def is_lost_connection(error: Exception) -> bool:
    """Whether the server is out of reach, or the connection to it is gone."""
    codes = _codes(error)
    if codes & _GONE or any(code.startswith("08") for code in codes):
        return True
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _is_refused_by_libpq(error)
    return isinstance(error, _LOST)


def _is_refused_by_libpq(error: DBAPIError) -> bool:
    message = str(error.orig)
    if not message.startswith(("connection failed", "connection to server", "could not connect")):
        return False
    return "FATAL" not in message or any(reason in message for reason in _LIBPQ_TEXTS)


def _codes(error: Exception) -> set[str]:
    """The database's own codes of an error: an SQLSTATE, MySQL's number, or neither."""
    cause = getattr(error, "orig", None) or error
    state = getattr(cause, "sqlstate", None)
    numbers = getattr(cause, "args", ())[:1]
    if isinstance(cause, OSError):
        numbers = ()  # the operating system's
    return {str(code) for code in (state, *numbers) if code and isinstance(code, str | int)}
