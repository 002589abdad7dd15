"""The background loop: an event loop on its own thread, and blocking calls that run there."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import ParamSpec, TypeVar

from turnlog.loops.exit import at_exit
from turnlog.loops.finishing import is_cancelled
from turnlog.loops.termination import hears_sigterm, uninstall_if_idle

__all__ = ["is_loop_running", "run", "run_certainly", "run_until_interrupted"]

P = ParamSpec("P")
T = TypeVar("T")

# At exit, the seconds that calls which nobody waits for any more get to finish their writes.
_EXIT_SECONDS = 5.0


def run(call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `call` on the background loop, wait for its end, and return or raise its outcome.

    A `KeyboardInterrupt` that arrives meanwhile is raised when the call has ended, or at
    once if it had not started. So the outcome of a write is known: the session shows it,
    and if it failed, its error is the interrupt's `__cause__`. A second interrupt doesn't
    wait for the end.

    Raises `RuntimeError` on the background loop itself, where it would wait for ever.
    """
    outcome: _Outcome[T] = _Outcome()
    return _waited_for(outcome, partial(call, *args, **kwargs), lambda: None)


def run_until_interrupted(call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same as `run`, but an interrupt or SIGTERM cancels the call; for calls that take long."""
    outcome: _Outcome[T] = _Outcome()
    with hears_sigterm():
        return _waited_for(outcome, partial(call, *args, **kwargs), outcome.interrupt)


def run_certainly(call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
    """The same as `run`, also if an interrupt arrives before the call has started."""
    outcome: _Outcome[T] = _Outcome()
    try:
        return _waited_for(outcome, partial(call, *args, **kwargs), lambda: None)
    except BaseException as interrupt:
        if outcome.cancelled() and not isinstance(interrupt, Exception):
            run(call, *args, **kwargs)
        raise


def is_loop_running() -> bool:
    """Whether the caller runs on an event loop, which a blocking call would stop.

    Under gevent, all threads are greenlets of one thread, and asyncio reports the background
    loop as running in each of them; so that one doesn't count there.
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
            raise  # it had not started, and now it never will
        interrupted()
        error = outcome.exception()
        raise interrupt from None if isinstance(error, asyncio.CancelledError) else error
    finally:
        uninstall_if_idle()  # a run that an earlier call had begun may have ended in this one
    return outcome.result()


class _Outcome(Future[T]):
    """The outcome of a call to come, and how to cancel the call."""

    def __init__(self) -> None:
        super().__init__()
        #: Cancels the task that runs the call; None before there is one.
        self._cancel_task: Callable[[], object] | None = None
        self.is_interrupted = False

    def may_cancel(self, cancel_task: Callable[[], object]) -> None:
        """Tell how to cancel the task, which happens now if the interrupt came before."""
        self._cancel_task = cancel_task
        if self.is_interrupted:
            cancel_task()

    def interrupt(self) -> None:
        """Cancel the task, now or as soon as there is one; the outcome is still delivered."""
        self.is_interrupted = True
        if self._cancel_task is not None:
            self._cancel_task()


class _LoopThread(threading.Thread):
    """An event loop on a thread of its own, until `end`."""

    def __init__(self) -> None:
        # A daemon: it never keeps the process from ending.
        super().__init__(name="turnlog-sync", daemon=True)
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._loop = self._runner.get_loop()
        self._tasks: set[asyncio.Task[None]] = set()  # asyncio holds its tasks weakly
        self._is_ending = False
        self.start()

    def is_elsewhere(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether `loop` is this one, and runs in another thread or greenlet than the caller."""
        return loop is self._loop and threading.current_thread() is not self

    def run(self) -> None:
        with self._runner:
            while not self._is_ending:
                # A task that raises SystemExit stops the loop, also for all other calls.
                with suppress(SystemExit, KeyboardInterrupt):
                    self._loop.run_forever()

    def begin(self, work: Callable[[], Awaitable[T]], outcome: _Outcome[T]) -> None:
        """Start `work` soon, in the caller's context, so that the caller's span is its parent."""
        if threading.current_thread() is self:
            raise RuntimeError(
                "a blocking call was made on the background loop that it would wait for: "
                "here, await the session itself (blocking_session.session)"
            )
        self._loop.call_soon_threadsafe(self._begin, work, outcome)

    def _begin(self, work: Callable[[], Awaitable[T]], outcome: _Outcome[T]) -> None:
        if outcome.set_running_or_notify_cancel():
            task = self._loop.create_task(_complete(work, outcome))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            outcome.may_cancel(partial(self._loop.call_soon_threadsafe, task.cancel))

    def end(self) -> None:
        """Cancel the calls under way, which finish their writes first, and close the loop."""
        self._is_ending = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self.join(_EXIT_SECONDS)


async def _complete(work: Callable[[], Awaitable[T]], outcome: _Outcome[T]) -> None:
    try:
        result = await work()
    except BaseException as error:
        if is_cancelled() and not outcome.is_interrupted:
            raise  # at exit: never answered, as in _begin
        outcome.set_exception(error)
    else:
        outcome.set_result(result)


def _begin(work: Callable[[], Awaitable[T]], outcome: _Outcome[T]) -> None:
    global _running  # noqa: PLW0603 - one for the whole process
    with _lock:
        if _at_exit and threading.current_thread().daemon:
            return  # never answered: the process is ending, and the waiting thread with it
        if _running is None:
            _running = _LoopThread()
        _running.begin(work, outcome)


def _end() -> None:
    """End the loop at exit, before the stores that it works on are closed.

    An exit function that runs later and makes a blocking call gets a new loop.
    """
    global _running, _at_exit
    with _lock:
        ending, _running, _at_exit = _running, None, True
    if ending is not None:
        ending.end()


def _forget_in_child() -> None:
    global _running, _lock
    if _running is not None:
        # Never closed: that would change the selector, which the parent still uses.
        _of_the_parent.append(_running)
    _running, _lock = None, threading.Lock()


_running: _LoopThread | None = None
_at_exit = False
_lock = threading.Lock()
_of_the_parent: list[_LoopThread] = []

at_exit(_end, "work")
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
