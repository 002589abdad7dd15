"""Calls that are under way, for tests that interrupt them or fork."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable

__all__ = ["Slow", "in_thread", "interrupt_main", "thread_of_the_loop"]


async def thread_of_the_loop() -> int:
    return threading.get_ident()


def interrupt_main() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


class Slow:
    """A call that has begun, and ends when it is let."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.ended = False
        self._error = error

    async def __call__(self) -> None:
        self.begun.set()
        await asyncio.to_thread(self.may_end.wait)
        self.ended = True
        if self._error is not None:
            raise self._error

    def interrupt_and_let_end(self) -> None:
        self.begun.wait()
        interrupt_main()
        time.sleep(0.05)  # long enough for an interrupt that doesn't wait to be noticed
        self.may_end.set()


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread
