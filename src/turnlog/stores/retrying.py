"""Retries: a call is made again, after growing delays, while its errors are transient."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from random import uniform
from typing import TypeAlias, TypeVar

__all__ = ["MayRetry", "backoff", "retry", "retry_blocking"]

T = TypeVar("T")

#: Whether the call that failed with this error may be made again.
MayRetry: TypeAlias = Callable[[Exception], bool]


async def retry(
    call: Callable[[], Awaitable[T]], delays: Iterable[float], may_retry: MayRetry
) -> T:
    """Return the result of `call`, which is made again after each of `delays` while it fails.

    delays: seconds, each varied by up to a half, so that callers don't stay in step.

    Raises the last error unchanged once the delays are used up, and at once any error
    that `may_retry` refuses.
    """
    remaining = iter(delays)
    while True:
        try:
            return await call()
        except Exception as error:
            delay = _next_delay(remaining, error, may_retry)
            if delay is None:
                raise
        await asyncio.sleep(delay)


def retry_blocking(call: Callable[[], T], delays: Iterable[float], may_retry: MayRetry) -> T:
    """`retry` for a call that blocks its thread."""
    remaining = iter(delays)
    while True:
        try:
            return call()
        except Exception as error:
            delay = _next_delay(remaining, error, may_retry)
            if delay is None:
                raise
        time.sleep(delay)


def backoff(first: float, longest: float, patience: float) -> Iterator[float]:
    """Delays that double from `first` to `longest` and end `patience` seconds from now."""
    return _doubling(first, longest, time.monotonic() + patience)


def _doubling(delay: float, longest: float, end: float) -> Iterator[float]:
    while time.monotonic() + delay <= end:
        yield delay
        delay = min(delay * 2, longest)


def _next_delay(remaining: Iterator[float], error: Exception, may_retry: MayRetry) -> float | None:
    """How many seconds to wait before the next try; None if there is none."""
    delay = next(remaining, None) if may_retry(error) else None
    return None if delay is None else uniform(delay / 2, delay * 1.5)  # noqa: S311 - no secret
