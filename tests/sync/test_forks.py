"""Blocking calls on both sides of a fork."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from tests.sync.calls import Slow, in_thread
from turnlog import (
    sync,
)


def exit_code_of_child(work: Callable[[], bool]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            signal.alarm(60)
            code = 0 if work() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_forked_child_has_a_loop_of_its_own(tmp_path: Path) -> None:
    session = sync.SQLiteSession(tmp_path / "c.db", session_id="a")
    session.add_items([{"by": "parent"}])

    def go_on() -> bool:
        session.add_items([{"by": "child"}])
        return len(session.get_items()) == 2

    assert exit_code_of_child(go_on) == 0
    session.add_items([{"by": "parent"}])
    assert [item["by"] for item in session.get_items()] == ["parent", "child", "parent"]
    session.close()


def test_a_fork_while_calls_are_under_way(tmp_path: Path) -> None:
    session = sync.SQLiteSession(tmp_path / "c.db", session_id="a")
    session.add_items([{"by": "parent"}] * 5)
    slow, stop = Slow(), threading.Event()
    waiting = in_thread(lambda: sync.run(slow))

    def write_on() -> None:
        while not stop.is_set():
            session.add_items([{"by": "parent"}])

    writing = in_thread(write_on)
    slow.begun.wait()
    codes = [exit_code_of_child(lambda: session.pop_item() is not None) for _ in range(5)]
    stop.set()
    slow.may_end.set()
    writing.join()
    waiting.join()
    assert codes == [0] * 5
    assert slow.ended
    session.close()


def test_a_fork_while_the_loops_lock_is_held() -> None:
    session = sync.SQLiteSession(session_id="a")
    held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        with sync.loop._lock:
            held.set()
            let_go.wait()

    holding = in_thread(hold)
    held.wait()
    code = exit_code_of_child(lambda: session.get_items() == [])
    let_go.set()
    holding.join()
    assert code == 0
