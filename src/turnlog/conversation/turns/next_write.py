"""Extra changes: changes that the next `add_items` of the running task makes as well.

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

__all__ = ["ExtraChanges", "extra_changes_on", "in_next_write"]


class ExtraChanges:
    """Changes that the next `add_items` on one log makes besides its items."""

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
def in_next_write(store: Store, log: Log, changes: Sequence[Change] = ()) -> Iterator[ExtraChanges]:
    """Within, the next `add_items` on `log` makes `changes` as well, in the same commit.

    A turn that holds the lease has changes of its own to make; they go with its writes.
    """
    extra = ExtraChanges(store, log, changes)
    token = _current.set(extra)
    try:
        yield extra
    finally:
        _current.reset(token)


def extra_changes_on(store: Store, log: Log) -> ExtraChanges | None:
    """The changes to make together with items on `log`; None if there are none."""
    extra = _current.get()
    if extra is None or extra.log != log or extra.store.identity != store.identity:
        return None
    return extra


_current: ContextVar[ExtraChanges | None] = ContextVar("turnlog_extra_changes", default=None)
