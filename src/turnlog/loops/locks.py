"""Locks for tasks on any event loop: one task of the process at a time, in order of arrival."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future

__all__ = ["ProcessLock"]


class ProcessLock:
    """Lets one task in at a time, whichever event loop and thread it runs on.

    Use it with ``async with``. Tasks come in one after the other, first come first served. A
    task that asks again while it holds the lock waits for ever.
    """

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[Future[None]] = deque()
        self._is_held = False

    @property
    def is_held(self) -> bool:
        """Whether a task is in."""
        return self._is_held

    async def __aenter__(self) -> None:
        with self._guard:
            if not self._is_held:
                self._is_held = True
                return
            admitted: Future[None] = Future()
            self._waiting.append(admitted)
        try:
            await asyncio.wrap_future(admitted)
        except BaseException:
            if not admitted.cancel():  # it was let in just now
                self._admit_next()
            raise

    async def __aexit__(self, *error: object) -> None:
        self._admit_next()

    def _admit_next(self) -> None:
        with self._guard:
            while self._waiting:
                admitted = self._waiting.popleft()
                if admitted.set_running_or_notify_cancel():
                    break
            else:
                self._is_held = False
                return
        admitted.set_result(None)  # outside of the guard: it calls back
