"""Work for a worker thread, and how its answer finds the way back to an event loop."""

from __future__ import annotations

import asyncio
import copy
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NamedTuple, TypeAlias, TypeVar

__all__ = ["Answer", "Job", "Order", "Outcome", "deliver"]

T = TypeVar("T")

#: Statements on a worker's cursor. A job that raises `Conflict` has written nothing.
Job: TypeAlias = Callable[[sqlite3.Cursor], T]


class Outcome(asyncio.Future[T]):
    """A future that can't be cancelled.

    A task that is cancelled while it waits for one gets its `CancelledError` as soon
    as the outcome is known, so that no write is left in doubt.
    """

    def cancel(self, msg: object = None) -> bool:  # noqa: ARG002 - asyncio's signature
        return False


class Order(NamedTuple):
    """A job, and who waits for its answer."""

    job: Job[Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    #: Whether it has to be on the disk before it is answered.
    durable: bool = True


class Answer(NamedTuple):
    """What came of an order."""

    order: Order
    result: object = None
    error: BaseException | None = None


def deliver(answers: Iterable[Answer]) -> None:
    """Hand the answers to the loops that wait for them, waking each loop once."""
    by_loop = defaultdict(list)
    for answer in answers:
        by_loop[answer.order.loop].append(answer)
    for loop, theirs in by_loop.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(_settle, theirs)


def _settle(answers: list[Answer]) -> None:
    for order, result, error in answers:
        if order.future.done():
            continue  # a query that was cancelled
        if error is None:
            order.future.set_result(result)
        else:
            # A copy each: one error may answer a whole transaction's orders.
            order.future.set_exception(copy.copy(error))
