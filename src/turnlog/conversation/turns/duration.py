"""Duration of leases: how long one lasts unless it is renewed, and who says so.

The run says it, else its session, else the store, else the environment, else `LEASE_SECONDS`.
"""

from __future__ import annotations

import os

from turnlog.items.given import given
from turnlog.store import Store

__all__ = ["LEASE_SECONDS", "check_busy_timeout", "check_seconds", "lease_seconds"]

#: For how long others wait for a holder that died where nobody can know that, at most.
LEASE_SECONDS = 10.0

_VARIABLE = "TURNLOG_LEASE_SECONDS"


def check_seconds(seconds: float | None, name: str = "lease_seconds", cure: str = "10.0") -> None:
    """Raise `TypeError` or `ValueError` unless `seconds` is a positive number, or None.

    name: of the argument, for the error.
    cure: what to write, for example.
    """
    value: object = seconds
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number of seconds, not {given(value)}: write {cure}")
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be positive and finite, and is {value}: write {cure}")


def check_busy_timeout(seconds: float | None) -> None:
    """The same for the seconds that a run waits for another one."""
    cure = "None to wait without a bound, or use the policy 'reject' to not wait at all"
    check_seconds(seconds, "busy_timeout", cure)


def lease_seconds(asked: float | None, store: Store) -> float:
    """For how many seconds a lease on `store` lasts.

    asked: what the run or its session says; None if they say nothing.

    Raises `TypeError` or `ValueError` if nothing can last for so long.
    """
    for seconds in (asked, store.lease_seconds):
        check_seconds(seconds)
        if seconds is not None:
            return seconds
    return _of_environment()


def _of_environment() -> float:
    text = os.environ.get(_VARIABLE)
    if not text:
        return LEASE_SECONDS
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError(
            f"{_VARIABLE} must be a number of seconds, such as 10, and is {text!r}"
        ) from None
    check_seconds(seconds, _VARIABLE, "10")
    return seconds
