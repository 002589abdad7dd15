"""Duration of leases: how long one lasts unless it is renewed, and who says so.

The run says it, else its session, else the store, else the environment, else `LEASE_SECONDS`.
"""

from __future__ import annotations

import os

from turnlog.items.given import check_positive_seconds
from turnlog.store import Store

__all__ = ["LEASE_SECONDS", "check_busy_timeout", "check_lease_seconds", "lease_seconds"]

#: How long others wait, at most, for a run that died where they can't see its process.
LEASE_SECONDS = 10.0

# A third of it is about what a commit to a disk takes.
_SHORTEST = 0.01

_VARIABLE = "TURNLOG_LEASE_SECONDS"


def check_lease_seconds(seconds: float | None, name: str = "lease_seconds") -> None:
    """Raise `TypeError` or `ValueError` unless `seconds` is None, or a time that can be renewed.

    name: of the argument or variable, for the error.
    """
    if seconds is None:
        return
    check_positive_seconds(name, seconds, "10.0")
    if seconds < _SHORTEST:
        raise ValueError(
            f"{name} must be at least {_SHORTEST}, and is {seconds}: no run can renew its lease so "
            f"often; write 10.0"
        )


def check_busy_timeout(seconds: float | None) -> None:
    """The same for the seconds that a run waits for another one."""
    if seconds is not None:
        cure = "None to wait without a bound, or use the policy 'reject' to not wait at all"
        check_positive_seconds("busy_timeout", seconds, cure)


def lease_seconds(asked: float | None, store: Store) -> float:
    """For how many seconds a lease on `store` lasts.

    asked: what the run or its session says; None if they say nothing.

    Raises `TypeError` or `ValueError` if nothing can last for so long.
    """
    for seconds in (asked, store.lease_seconds):
        check_lease_seconds(seconds)
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
    check_lease_seconds(seconds, _VARIABLE)
    return seconds
