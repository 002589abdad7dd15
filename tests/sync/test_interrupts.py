"""Ctrl-C during a blocking call: the call ends, and its outcome is known."""

import random
import threading
import time
from functools import partial
from pathlib import Path

import pytest

from tests.sync.calls import Slow, in_thread, interrupt_main, thread_of_the_loop
from turnlog import (
    sync,
)


def interrupt_soon_after(beginning: threading.Event) -> None:
    beginning.wait()
    time.sleep(random.uniform(0.005, 0.02))
    interrupt_main()


def test_an_interrupt_comes_out_when_the_call_has_ended() -> None:
    slow = Slow()
    thread = in_thread(slow.interrupt_and_let_end)
    with pytest.raises(KeyboardInterrupt) as caught:
        sync.run(slow)
    assert slow.ended
    assert caught.value.__cause__ is None
    thread.join()


def test_an_interrupt_tells_why_the_call_failed() -> None:
    error = OSError("disk full")
    slow = Slow(error)
    thread = in_thread(slow.interrupt_and_let_end)
    with pytest.raises(KeyboardInterrupt) as caught:
        sync.run(slow)
    assert caught.value.__cause__ is error
    thread.join()


def test_a_second_interrupt_does_not_wait() -> None:
    slow = Slow()

    def interrupt_twice() -> None:
        slow.begun.wait()
        interrupt_main()
        time.sleep(0.05)  # two signals at once would be one
        interrupt_main()

    thread = in_thread(interrupt_twice)
    with pytest.raises(KeyboardInterrupt):
        sync.run(slow)
    assert not slow.ended
    thread.join()
    slow.may_end.set()


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
