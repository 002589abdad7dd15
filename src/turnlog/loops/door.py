"""Closing: counts the calls inside a store, so that closing can wait for them."""

from __future__ import annotations

import asyncio
import os

from turnlog.errors import StoreClosed

__all__ = ["Door"]


class Door:
    """Counts the calls inside a store, so that closing it can wait for them.

    name: of the class that says it is closed.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        # The process of each call. A forked child begins with those of its parent, which
        # never leave it; its own come behind them, so that the last is always its own.
        self._inside: list[int] = []
        self.is_closed = False

    def __enter__(self) -> None:
        # Counted before the look at `is_closed`: either `close` sees this call and waits,
        # or this call sees that the store is closed.
        self._inside.append(os.getpid())
        if self.is_closed:
            self._inside.pop()
            raise StoreClosed(self._name)

    def __exit__(self, *error: object) -> None:
        self._inside.pop()

    async def close(self) -> None:
        """Let nobody in any more, and wait until all are out."""
        self.is_closed = True
        # They may be on other loops and threads, where no event could be waited for.
        while self._inside.count(os.getpid()):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
