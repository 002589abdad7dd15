"""Calls that are under way, for tests that interrupt them or fork."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Self

__all__ = ["Interrupts", "Slow", "in_thread", "interrupt_main", "thread_of_the_loop"]


async def thread_of_the_loop() -> int:
    return threading.get_ident()


def interrupt_main() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


class Interrupts:
    """Interrupts of the main thread, each sent until it was heard there.

    Only with this can a test say what happens behind an interrupt: on a busy machine the
    main thread hears a signal late, and two signals that were sent meanwhile are one.
    """

    def __init__(self) -> None:
        self._heard = threading.Event()
        self._before = signal.getsignal(signal.SIGINT)

    def __enter__(self) -> Self:
        signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._heard.set()
        signal.default_int_handler(number, frame)

    def send(self) -> None:
        self._heard.clear()
        interrupt_main()
        # One that comes in the moment before the main thread waits does not wake it: it is heard
        # together with the next one, as a single interrupt.
        while not self._heard.wait(5):
            interrupt_main()


class Slow:
    """A call that has begun, and ends when it is let or cancelled."""

    def __init__(self, error: Exception | None = None) -> None:
        self.begun = threading.Event()
        self.may_end = threading.Event()
        self.cancelled = threading.Event()
        self.ended = False
        self._error = error

    async def __call__(self) -> None:
        self.begun.set()
        try:
            await asyncio.to_thread(self.may_end.wait)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        self.ended = True
        if self._error is not None:
            raise self._error

    def interrupt_and_let_end(self, interrupts: Interrupts) -> None:
        self.begun.wait()
        interrupts.send()
        time.sleep(0.05)  # long enough for an interrupt that doesn't wait to be noticed
        self.may_end.set()

    def interrupt_and_await_the_cancellation(self) -> None:
        self.begun.wait()
        interrupt_main()
        self.cancelled.wait(60)
        self.may_end.set()


def in_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread
