"""Threads for plain functions, so that they don't block the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

__all__ = ["in_thread"]

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `function` in a new thread, in the caller's context; return or raise its outcome.

    Not in a pool, where functions that wait for others in the same pool could wait for ever.
    If this is cancelled, it doesn't wait for the function.
    """
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()
    work = partial(contextvars.copy_context().run, partial(function, *args, **kwargs))

    def run() -> None:
        try:
            answer = partial(outcome.set_result, work())
        except StopIteration as error:
            # A future can't hold one: in a coroutine it means something else.
            ended = RuntimeError("the function raised StopIteration")
            ended.__cause__ = error
            answer = partial(outcome.set_exception, ended)
        except BaseException as error:  # noqa: BLE001 - raised by the caller
            answer = partial(outcome.set_exception, error)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, outcome, answer)

    threading.Thread(target=run, name=f"turnlog-tool {_name(function)}").start()
    return await outcome


def _settle(outcome: asyncio.Future[T], answer: Callable[[], None]) -> None:
    if not outcome.done():
        answer()


def _name(function: object) -> str:
    return str(getattr(function, "__name__", type(function).__name__))
