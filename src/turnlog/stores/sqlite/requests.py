"""Requests: jobs for a worker thread, and their answers on the way back to an event loop."""

from __future__ import annotations

import asyncio
import copy
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeAlias, TypeVar

__all__ = ["Answer", "Batches", "Job", "Outcome", "Request", "deliver"]

T = TypeVar("T")

#: Statements on a worker's cursor. A job that raises `Conflict` has written nothing.
Job: TypeAlias = Callable[[sqlite3.Cursor], T]

# Bounds how long the first request of a batch waits for the statements of the last.
_LARGEST_BATCH = 1024


class Outcome(asyncio.Future[T]):
    """A future that can't be cancelled.

    A task that is cancelled while it waits for one gets its `CancelledError` as soon
    as the outcome is known, so that no write is left in doubt.
    """

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002 - asyncio's signature
        return False


class Request(NamedTuple):
    """A job, and the future on an event loop that waits for its answer."""

    job: Job[Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    #: Whether it has to be on the disk before it is answered.
    durable: bool = True


class Answer(NamedTuple):
    """A request with its result or its error."""

    request: Request
    result: object = None
    error: BaseException | None = None


class Batches:
    """A queue of requests, from which all that wait are taken together.

    idle: called by the thread that takes batches, when no request came for `linger` seconds
        after a call of `wake`.
    """

    def __init__(self, idle: Callable[[], None], linger: float) -> None:
        self._queue: SimpleQueue[Request | None] = SimpleQueue()
        self._idle = idle
        self._linger = linger
        self._lingering = False
        self._ended = False

    def put(self, request: Request) -> None:
        """Add a request."""
        self._queue.put(request)

    def wake(self) -> None:
        """Have `idle` called in a while. Takes no lock: the garbage collector may call this."""
        if not self._lingering:
            self._queue.put(None)

    def end(self) -> None:
        """Return empty batches as soon as the queue is empty."""
        self._ended = True
        self._queue.put(None)

    def take(self) -> list[Request]:
        """Wait for a request, and return all that are queued; an empty list after `end`."""
        while True:
            try:
                request = self._queue.get(timeout=self._patience())
            except Empty:
                if self._ended:
                    return []
                self._lingering = False  # first, so that a later `wake` is heard
                self._idle()
                continue
            if request is not None:
                return [request, *self._queued()]
            self._lingering = True

    def _patience(self) -> float | None:
        if self._ended:
            return 0
        return self._linger if self._lingering else None

    def _queued(self) -> Iterator[Request]:
        for _ in range(_LARGEST_BATCH):
            if self._queue.empty():
                return
            request = self._queue.get()
            if request is None:
                self._queue.put(None)  # to be seen after this batch
                return
            yield request


def deliver(answers: Iterable[Answer]) -> None:
    """Hand the answers to the loops that wait for them, waking each loop once."""
    by_loop = defaultdict(list)
    for answer in answers:
        by_loop[answer.request.loop].append(answer)
    for loop, theirs in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(_settle, theirs)


def _settle(answers: list[Answer]) -> None:
    for request, result, error in answers:
        if request.future.done():
            continue  # a query that was cancelled
        if error is None:
            request.future.set_result(result)
        else:
            # A copy each: one error may answer all requests of a transaction.
            request.future.set_exception(copy.copy(error))
