"""Virtual time: a clock that stands still while anything is done, for tests of leases and timeouts.

In a test that has the fixture `virtual_time`, its event loop and the leases go by this clock. It
goes on when all tasks wait and no call of `instant_store` is under way, and then it is at once at
the next timer. So the speed of the machine makes no difference, nor does a process that stands
still: an hour takes no time, and 0.3 seconds never become three.

Such a test must not wait for threads or processes, except through `instant_store`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import pytest

from turnlog import Store
from turnlog.conversation.turns import claims, giving_back, reporting, waiting
from turnlog.store import Call, Layer

__all__ = ["VirtualTime", "instant_store", "virtual_time"]

T = TypeVar("T")

# While a call is under way, the seconds after which the loop looks again, whatever happens.
_LOOK = 0.1


class VirtualTime:
    """The clock of one test. It has the functions of the module `time` that leases use."""

    gmtime, strftime = staticmethod(time.gmtime), staticmethod(time.strftime)

    def __init__(self, now: float, select: Callable[[float | None], Any]) -> None:
        self._now = now
        self._select = select
        self._calls = 0

    def monotonic(self) -> float:
        return self._now

    def time(self) -> float:
        """The wall clock."""
        return 2.0**29 + self._now

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Within, the clock stands still, even if all tasks wait."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1

    def select(self, timeout: float | None) -> Any:
        """Wait as the loop's selector does, or let the time pass for which it would wait."""
        if timeout is None or timeout <= 0:
            return self._select(timeout)
        if self._calls:
            return self._select(min(timeout, _LOOK))
        events = self._select(0)
        if not events:
            self._now += timeout
        return events


class _Instant(Layer):
    """A store whose calls take no time."""

    def __init__(self, inner: Store, clock: VirtualTime) -> None:
        super().__init__(inner)
        self._clock = clock

    async def around(self, call: Call[T]) -> T:
        with self._clock.stopped():
            return await call()


@pytest.fixture
async def virtual_time(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[VirtualTime]:
    """The clock of the test, of its loop, and of the leases."""
    loop: Any = asyncio.get_running_loop()
    # The same numbers in each run, so that a sum is never rounded in another way than before.
    clock = VirtualTime(2.0**30, loop._selector.select)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "time", clock.monotonic)
        patch.setattr(loop._selector, "select", clock.select)
        for module in (claims, giving_back, reporting, waiting):
            patch.setattr(module, "time", clock)
        yield clock


@pytest.fixture
def instant_store(any_store: Store, virtual_time: VirtualTime) -> Store:
    """An empty store of each kind, as `any_store`, whose calls take no time."""
    return _Instant(any_store, virtual_time)
