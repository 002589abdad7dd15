"""Metering: what is spent for a block, such as a summary, that is to know its own cost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from turnlog.conversation.usage.spending import Spending

__all__ = ["Meter", "current_meter", "metered"]


class Meter:
    """Usage within a block: of runs without a session, and what others add to `spent`."""

    def __init__(self) -> None:
        #: One of each run, also of one that has failed.
        self.spent: list[Spending] = []


_meter: ContextVar[Meter | None] = ContextVar("turnlog_meter", default=None)


@contextmanager
def metered() -> Iterator[Meter]:
    """A block whose runs without a session spend on this meter, and not on the turn around."""
    meter = Meter()
    token = _meter.set(meter)
    try:
        yield meter
    finally:
        _meter.reset(token)


def current_meter() -> Meter | None:
    """The meter of the innermost block that the running task belongs to; None outside of all."""
    return _meter.get()
