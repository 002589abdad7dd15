"""An event loop on a thread of its own, and calls that wait for what runs there."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

from turnlog import sessions  # noqa: F401 - its exit function is to run after the one below

__all__ = ["is_loop_running", "run", "run_until_interrupted"]

P = ParamSpec("P")
T = TypeVar("T")

# At exit, a call that nobody waits for any more must not keep the process from ending.
_LAST_CALL = 5.0


def run(call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `call` gives or raises, once it has run on the background loop.

    A `KeyboardInterrupt` that arrives meanwhile is raised when the call has ended, or
    at once if it had not begun. So nothing is in doubt: a look at the session shows
    what became of a write, and if it failed, its error is the interrupt's `__cause__`.
    A second interrupt doesn't wait for the end.

    Raises `RuntimeError` on the background loop itself, where it would wait for ever.
    """
    outcome: _Outcome[T] = _Outcome()
    return _waited_for(outcome, partial(call, *args, **kwargs), lambda: None)


def run_until_interrupted(call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same as `run`, but an interrupt cancels the call, for calls that take their time."""
    outcome: _Outcome[T] = _Outcome()
    return _waited_for(outcome, partial(call, *args, **kwargs), outcome.interrupt)


def is_loop_running() -> bool:
    """Whether the caller runs on an event loop, which a call that waits would bring to a halt.

    Under gevent, threads are greenlets of one thread: there, asyncio shows the background
    loop to all of them as the running one.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return False
    background = _running
    return background is None or not background.is_elsewhere(loop)


def _waited_for(
    outcome: _Outcome[T], work: Callable[[], Awaitable[T]], interrupted: Callable[[], None]
) -> T:
    try:
        _begin(work, outcome)
        outcome.exception()  # waits
    except BaseException as interrupt:
        if outcome.cancel():
            raise  # it had not begun, and now it never will
        interrupted()
        error = outcome.exception()
        raise interrupt from None if isinstance(error, asyncio.CancelledError) else error
    return outcome.result()


class _Outcome(Future[T]):
    """What will have come of a call, and how it is called off."""

    def __init__(self) -> None:
        super().__init__()
        #: Cancels the task that carries it out; set once there is one.
        self.call_off: Callable[[], object] | None = None
        self.is_interrupted = False

    def interrupt(self) -> None:
        """Have it cancelled; its outcome is told all the same."""
        self.is_interrupted = True
        if self.call_off is not None:
            self.call_off()


class _LoopThread(threading.Thread):
    """An event loop on a thread of its own, until it is told to end."""

    def __init__(self) -> None:
        # A daemon: it is there for as long as others need it.
        super().__init__(name="turnlog-sync", daemon=True)
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._tasks: set[asyncio.Task[None]] = set()  # asyncio itself may forget them
        self._is_ending = False
        self.start()

    def is_elsewhere(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether `loop` is this one, and runs in another thread or greenlet than the caller."""
        return loop is self._loop and threading.current_thread() is not self

    def run(self) -> None:
        with self._runner:
            while not self._is_ending:
                # A task that raises SystemExit brings the loop to a halt, and not only its own.
                with suppress(SystemExit, KeyboardInterrupt):
                    self._loop.run_forever()

    def begin(self, work: Callable[[], Awaitable[T]], outcome: _Outcome[T]) -> None:
        """Start `work` soon, in the caller's context, so that a caller's span is its parent."""
        if threading.current_thread() is self:
            raise RuntimeError(
                "a blocking session was called on the event loop that it needs itself: "
                "await the session inside it instead"
            )
        self._loop.call_soon_threadsafe(self._begin, work, outcome)

    def _begin(self, work: Callable[[], Awaitable[T]], outcome: _Outcome[T]) -> None:
        if outcome.set_running_or_notify_cancel():
            task = self._loop.create_task(_carry_out(work, outcome))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            outcome.call_off = partial(self._loop.call_soon_threadsafe, task.cancel)

    def end(self) -> None:
        """Cancel what is under way, which finishes its writes, and close the loop."""
        self._is_ending = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self.join(_LAST_CALL)


async def _carry_out(work: Callable[[], Awaitable[T]], outcome: _Outcome[T]) -> None:
    try:
        result = await work()
    except BaseException as error:
        if _is_cancelled() and not outcome.is_interrupted:
            raise  # never answered, as in _begin
        outcome.set_exception(error)
    else:
        outcome.set_result(result)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _begin(work: Callable[[], Awaitable[T]], outcome: _Outcome[T]) -> None:
    global _running  # noqa: PLW0603 - one for the whole process
    with _lock:
        if _at_exit and threading.current_thread().daemon:
            return  # never answered: the process ends, and takes the waiting thread along
        if _running is None:
            _running = _LoopThread()
        _running.begin(work, outcome)


def _end() -> None:
    """End the loop at exit, before the stores that it works on close themselves.

    Exit functions run in reverse order, and those stores were imported first. One
    imported later closes first, and by then it has done all that was asked of it.
    An exit function that runs after this one gets a loop of its own.
    """
    global _running, _at_exit
    with _lock:
        ending, _running, _at_exit = _running, None, True
    if ending is not None:
        ending.end()


def _forget_in_child() -> None:
    global _running, _lock
    if _running is not None:
        # Never closed: that would reach into the selector, which the parent still uses.
        _of_the_parent.append(_running)
    _running, _lock = None, threading.Lock()


_running: _LoopThread | None = None
_at_exit = False
_lock = threading.Lock()
_of_the_parent: list[_LoopThread] = []

atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
