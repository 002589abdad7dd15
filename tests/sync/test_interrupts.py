"""Ctrl-C during a blocking call: the call ends, and its outcome is known."""

import asyncio
import random
import threading
import time
from collections.abc import Coroutine, Generator
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.sync.calls import Interrupts, Slow, in_thread, interrupt_main, thread_of_the_loop
from turnlog import sync
from turnlog.sync.loop import run_until_interrupted

T = TypeVar("T")


def interrupt_soon_after(beginning: threading.Event) -> None:
    beginning.wait()
    time.sleep(random.uniform(0.005, 0.02))
    interrupt_main()


def test_an_interrupt_comes_out_when_the_call_has_ended() -> None:
    slow = Slow()
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt) as caught:  # noqa: PT012 - one call
        thread = in_thread(partial(slow.interrupt_and_let_end, interrupts))
        sync.run(slow)
    assert slow.ended
    assert caught.value.__cause__ is None
    thread.join()


def test_an_interrupt_tells_why_the_call_failed() -> None:
    error = OSError("disk full")
    slow = Slow(error)
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt) as caught:  # noqa: PT012 - one call
        thread = in_thread(partial(slow.interrupt_and_let_end, interrupts))
        sync.run(slow)
    assert caught.value.__cause__ is error
    thread.join()


def test_a_second_interrupt_does_not_wait() -> None:
    slow = Slow()

    def interrupt_twice() -> None:
        slow.begun.wait()
        interrupts.send()
        interrupts.send()

    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):  # noqa: PT012 - one call
        thread = in_thread(interrupt_twice)
        sync.run(slow)
    assert not slow.ended
    thread.join()
    slow.may_end.set()


def test_an_interrupt_just_as_a_run_starts_cancels_it() -> None:
    slow = Slow()

    def interrupted(
        loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, T] | Generator[Any, None, T],
        **settings: Any,
    ) -> asyncio.Task[T]:
        loop.set_task_factory(None)
        interrupts.send()
        time.sleep(0.05)  # long enough for an interrupt that finds no task yet to be forgotten
        loop.call_later(60, slow.may_end.set)
        return asyncio.Task(work, loop=loop, **settings)

    async def prepare() -> None:
        asyncio.get_running_loop().set_task_factory(interrupted)

    sync.run(prepare)
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        run_until_interrupted(slow)
    slow.may_end.set()
    assert slow.cancelled.is_set()
    assert not slow.ended


def test_a_call_that_is_interrupted_before_it_began_never_begins() -> None:
    busy, free = threading.Event(), threading.Event()
    begun = []

    async def hog() -> None:
        busy.set()
        free.wait()

    async def work() -> None:
        begun.append(True)

    hogging = in_thread(lambda: sync.run(hog))
    busy.wait()
    waiting = threading.Event()
    interrupting = in_thread(partial(interrupt_soon_after, waiting))

    def wait() -> None:
        waiting.set()
        sync.run(work)

    with pytest.raises(KeyboardInterrupt):
        wait()
    free.set()
    hogging.join()
    interrupting.join()
    sync.run(thread_of_the_loop)  # whatever was queued before has run by then
    assert begun == []


def test_a_write_that_is_interrupted_is_there_afterwards(tmp_path: Path) -> None:
    session = sync.SQLiteSession(tmp_path / "c.db", session_id="a")
    written: list[int] = []

    def write_on(writing: threading.Event) -> None:
        writing.set()
        while True:
            session.add_items([{"n": len(written)}])
            written.append(len(written))

    for _ in range(10):
        writing = threading.Event()
        thread = in_thread(partial(interrupt_soon_after, writing))
        with pytest.raises(KeyboardInterrupt):
            write_on(writing)
        thread.join()
    numbers = [item["n"] for item in session.get_items()]
    assert set(written) <= set(numbers)
    assert numbers == sorted(numbers)
    session.close()
