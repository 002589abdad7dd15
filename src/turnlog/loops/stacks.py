"""Stacks of the blocks that a task is in, also through the task or thread that started it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

__all__ = ["ContextStack"]

T = TypeVar("T")


class ContextStack(Generic[T]):
    """The blocks that the running task is in. Tasks and threads that it starts begin with a copy.

    name: of the context variable.
    """

    def __init__(self, name: str) -> None:
        self._entries: ContextVar[tuple[T, ...]] = ContextVar(name, default=())

    @property
    def entries(self) -> tuple[T, ...]:
        """All of the blocks, the outermost first."""
        return self._entries.get()

    @contextmanager
    def inside(self, entry: T) -> Iterator[None]:
        """Within, `entry` is the innermost. The same one may be entered twice."""
        self._entries.set((*self.entries, entry))
        try:
            yield
        finally:
            # Not reset by a token: an asynchronous generator may be closed in another context.
            self._entries.set(_without_last(entry, self.entries))


def _without_last(entry: T, entries: tuple[T, ...]) -> tuple[T, ...]:
    if entry not in entries:
        return entries
    at = len(entries) - 1 - entries[::-1].index(entry)
    return entries[:at] + entries[at + 1 :]
