"""Writes together: changes that the next `add_items` of the running task makes as well.

A run stores through `session.add_items`, which a subclass may override, so what belongs into the
same commit is handed to it through a context variable. It also learns where the log ends then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from turnlog.changes import Change
from turnlog.records import Log
from turnlog.store import Store

__all__ = ["Together", "together", "together_on"]


class Together:
    """What the next `add_items` on one log writes besides its items."""

    def __init__(self, store: Store, log: Log, changes: Sequence[Change]) -> None:
        self.store = store
        self.log = log
        #: Empty once they are made.
        self.changes = list(changes)
        #: Where the log ended behind the items; None if no items were added.
        self.end: int | None = None

    def made(self, end: int) -> None:
        """The changes are made, and the log ends at `end`."""
        self.changes.clear()
        self.end = end


@contextmanager
def together(store: Store, log: Log, changes: Sequence[Change] = ()) -> Iterator[Together]:
    """Within, the next `add_items` on `log` makes `changes` as well, in the same commit.

    A turn that holds the lease has changes of its own to make; they go with its writes.
    """
    wanted = Together(store, log, changes)
    token = _wanted.set(wanted)
    try:
        yield wanted
    finally:
        _wanted.reset(token)


def together_on(store: Store, log: Log) -> Together | None:
    """What is to be written together with items on `log`; None if nothing is."""
    wanted = _wanted.get()
    if wanted is None or wanted.log != log or wanted.store.identity != store.identity:
        return None
    return wanted


_wanted: ContextVar[Together | None] = ContextVar("turnlog_written_together", default=None)
