"""SIGTERM: runs under way end as with Ctrl-C, where nobody else handles the signal.

Python's own reaction to SIGTERM is none: the process dies at once, in the middle of a run. While
runs are under way, a handler cancels them instead, waits for what they store, and then the process
dies by SIGTERM all the same. A program that has a handler, or installs one later, keeps it.

Only the main thread can install a handler; so it is there while a run is under way on its event
loop, or while it waits for one.
"""

from __future__ import annotations

import _thread
import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

__all__ = ["ended_by_sigterm", "hears_sigterm", "uninstall_if_idle"]

#: Gives back what the work holds.
_Free: TypeAlias = Callable[[], Coroutine[Any, Any, object]]

# How long the process waits for its runs. Docker and Kubernetes kill it 10 and 30 seconds after
# SIGTERM, so that leaves time.
_SECONDS = 5.0


@contextmanager
def ended_by_sigterm(free: _Free | None = None) -> Iterator[None]:
    """Within, SIGTERM cancels the running task; the process dies when the block was left.

    free: gives back what the block holds. It is called instead if the task has ended although
        the block was not left, as when blocking code enters and leaves it by calls of their own.
    """
    work = _Work(free)
    _under_way[work] = None
    _install()
    if _is_ending:
        work.end()
    try:
        yield
    finally:
        _left(work)


@contextmanager
def hears_sigterm() -> Iterator[None]:
    """Within, SIGTERM cancels runs under way on other threads, which the main thread waits for."""
    _install()
    try:
        yield
    finally:
        uninstall_if_idle()


class _Work:
    """Work under way in the running task."""

    def __init__(self, free: _Free | None) -> None:
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self._free = free
        self._freeing: asyncio.Task[object] | None = None  # asyncio holds its tasks weakly

    def end(self) -> None:
        """Have the work end, from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._end)
        except RuntimeError:  # its event loop is closed
            _under_way.pop(self, None)

    def _end(self) -> None:
        if self._task is not None and not self._task.done():
            if not self._task.cancelling():  # again would disturb what it does about the first
                self._task.cancel()
        elif self._free is None:
            _left(self)
        else:
            self._freeing = self._loop.create_task(self._free())
            self._freeing.add_done_callback(lambda _: _left(self))


def _left(work: _Work) -> None:
    _under_way.pop(work, None)
    if _is_ending and not _under_way:
        _die()
    uninstall_if_idle()


def _end_all(_signal: int, _frame: object) -> None:
    """Handler of SIGTERM. A second SIGTERM doesn't wait."""
    global _is_ending  # noqa: PLW0603 - one for the whole process
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _is_ending = True
    for work in list(_under_way):
        work.end()
    if not _under_way:
        _die()
    # Not by `threading`, which uses locks that the interrupted code may hold.
    _thread.start_new_thread(_die_later, ())


def _die_later() -> None:
    time.sleep(_SECONDS)
    _die()


def _die() -> None:
    """Die by SIGTERM, whose handler is the default one."""
    os.kill(os.getpid(), signal.SIGTERM)
    os._exit(128 + signal.SIGTERM)  # the first process of a container doesn't die of its signals


def _install() -> None:
    """Install the handler, if this is the main thread and nobody handles SIGTERM."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and not (
        _is_ending or _is_handled_elsewhere()
    ):
        with suppress(ValueError):  # in a subinterpreter
            signal.signal(signal.SIGTERM, _end_all)


def uninstall_if_idle() -> None:
    """Remove the handler when nothing is under way, unless another one has replaced it."""
    if (
        not _under_way
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is _end_all
    ):
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@cache
def _is_handled_elsewhere() -> bool:
    """Whether C code, such as `faulthandler`, handles SIGTERM, which Python knows nothing of.

    Asked once, when the first run begins.
    """
    with suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        caught = next(line for line in lines if line.startswith("SigCgt:"))
        return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)
    return False


def _forget_in_child() -> None:
    """The runs of a forked child's parent are none of its own."""
    global _is_ending  # noqa: PLW0603 - see _end_all
    _is_ending = False
    _under_way.clear()
    uninstall_if_idle()


#: The work under way, in the order in which it began.
_under_way: dict[_Work, None] = {}
_is_ending = False

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
