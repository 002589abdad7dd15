"""The end of a process that made blocking calls."""

import subprocess
import sys
from pathlib import Path

import pytest

from turnlog import (
    sync,
)

# With `-X dev`, asyncio warns of steps that take a tenth of a second, as they do on a busy machine.
SPEED_DOES_NOT_MATTER = "import logging; logging.getLogger('asyncio').setLevel(logging.ERROR)\n"


def end_of(script: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """How a process that runs `script` ends, with every warning on."""
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", SPEED_DOES_NOT_MATTER + script],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


OPEN = "from turnlog.sync import *; s = SQLiteSession('c.db', session_id='a');"


@pytest.mark.parametrize(
    "script",
    [
        "s.add_items([{'n': 1}])",
        "s.add_items([{'n': 1}]); s.close()",
        "s.add_items([{'n': 1}]); raise SystemExit(0)",
        """import asyncio, threading
begun = threading.Event()
async def wait():
    begun.set()
    await asyncio.sleep(1e6)
threading.Thread(target=run, args=[wait], daemon=True).start()
begun.wait()
s.add_items([{'n': 1}])""",
        """import threading
threading.Thread(target=s.add_items, args=[[{'n': 1}]]).start()""",
    ],
    ids=["unclosed", "closed", "exit", "a daemon thread waits", "a thread writes"],
)
def test_the_process_ends_in_silence(script: str, tmp_path: Path) -> None:
    ended = end_of(f"{OPEN}\n{script}", tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    with sync.SQLiteSession(tmp_path / "c.db", session_id="a") as session:
        assert session.get_items() == [{"n": 1}]


def test_an_exit_function_that_runs_after_ours_still_works(tmp_path: Path) -> None:
    script = f"""import atexit
atexit.register(lambda: (s.add_items([{{'n': 2}}]), print(len(s.get_items()))))
{OPEN}
s.add_items([{{'n': 1}}])"""
    ended = end_of(script, tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "2\n", "")


@pytest.mark.parametrize(
    "modules", ["sync.loop, turnlog.stores.sqlite", "stores.sqlite, turnlog.sync.loop"]
)
def test_the_loop_ends_before_the_stores_that_it_works_on(modules: str, tmp_path: Path) -> None:
    script = f"""import turnlog.{modules}
from turnlog.stores.sqlite import registry
from turnlog.sync import loop
class Loop:
    def end(self):
        print("loop")
class Engines(dict):
    def values(self):
        print("stores")
        return []
loop._running, registry._engines = Loop(), Engines()"""
    assert end_of(script, tmp_path).stdout == "loop\nstores\n"


def test_what_a_daemon_thread_was_told_is_stored_is_there(tmp_path: Path) -> None:
    script = f"""import os, threading
{OPEN}
enough = threading.Event()
def write():
    for n in range(1_000_000):
        s.add_items([{{'n': n}}])
        os.write(1, b'%d\\n' % n)
        if n == 20:
            enough.set()
threading.Thread(target=write, daemon=True).start()
enough.wait()"""
    ended = end_of(script, tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    told = [int(line) for line in ended.stdout.split()]
    with sync.SQLiteSession(tmp_path / "c.db", session_id="a") as session:
        stored = [item["n"] for item in session.get_items()]
    assert stored[: len(told)] == told
    assert len(told) <= len(stored) <= len(told) + 1
