"""Outages: the errors of drivers for a server that can't be reached, told in one way."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from turnlog.errors import StoreUnreachable

__all__ = ["outages_named"]

#: User and password in a URL that a driver quotes.
_LOGIN = re.compile(r"//[^\s/]*@")


@contextmanager
def outages_named(
    store: str, address: Callable[[], str], outage: Callable[[Exception], Exception | None]
) -> Iterator[None]:
    """Within, an outage is raised as `StoreUnreachable`, with the driver's error as its cause.

    store: the kind of store.
    outage: the driver's error of an outage; None for any other error, which passes unchanged.
    address: where its server is, without user and password.
    """
    began = time.monotonic()
    try:
        yield
    except Exception as error:
        cause = outage(error)
        if cause is None:
            raise
        tried = time.monotonic() - began
        raise StoreUnreachable(store, address(), tried, _reason(cause)) from cause


def _reason(error: Exception) -> str:
    """The kind of the error, and the first line of what the driver tells of it."""
    cause = getattr(error, "orig", None) or error  # SQLAlchemy's have the driver's own inside
    details = getattr(cause, "details", None)  # gRPC's text has many lines
    text = str(details() if callable(details) else cause)
    line = _LOGIN.sub("//***@", text.strip().partition("\n")[0]).rstrip(".")
    return f"{type(cause).__name__}: {line}" if line else type(cause).__name__
