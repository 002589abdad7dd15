"""Closing: counts the calls inside a store, so that closing can wait for them."""

from __future__ import annotations

import asyncio
import os

from turnlog.errors import StoreClosed

__all__ = ["Door"]


class Door:
    """Counts the calls inside a store, so that closing it can wait for them.

    name: the class that the `StoreClosed` error names.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        # The process id of each call. A forked child starts with the calls of its parent, which
        # never end there; its own follow them, so the last one is always its own.
        self._inside: list[int] = []
        self.is_closed = False

    def __enter__(self) -> None:
        # Counted before `is_closed` is checked: either `close` sees this call and waits, or
        # this call sees that the store is closed.
        self._inside.append(os.getpid())
        if self.is_closed:
            self._inside.pop()
            raise StoreClosed(self._name)

    def __exit__(self, *error: object) -> None:
        self._inside.pop()

    async def close(self) -> None:
        """Refuse new calls and wait until the calls inside have ended."""
        self.is_closed = True
        # They may run on other loops and threads, so there is no event to wait for.
        while self._inside.count(os.getpid()):  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.001)
