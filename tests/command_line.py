"""Turnlog's command line, run in processes, at a terminal or not, and stores for it."""

import asyncio
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tests.sample_items import user
from turnlog import StoredSession
from turnlog.items.json import Item
from turnlog.stores.sqlite import SQLiteStore

#: Settings of the caller that commands here must not see.
_HIDDEN = {"TURNLOG_STORE", "TURNLOG_KEY_FILE"}

COMMAND = [sys.executable, "-W", "error", "-m", "turnlog"]


def turnlog(
    *arguments: object, says: str | bytes = "", cwd: Path | None = None, **environment: str
) -> tuple[int, str, str]:
    """Run a command; returns its exit status, its output and its error output."""
    done = subprocess.run(
        [*COMMAND, *map(_argument, arguments)],
        input=says if isinstance(says, bytes) else says.encode(),
        capture_output=True,
        timeout=120,
        cwd=cwd,
        check=False,
        env=_environment(environment),
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in err
    assert "Warning" not in err
    return done.returncode, out, err


def filled(path: Path, sessions: dict[str, list[Item]]) -> Path:
    """A store at `path` that holds `sessions`."""

    async def fill() -> None:
        async with SQLiteStore(path) as store:
            for session_id, items in sessions.items():
                await StoredSession(session_id, store).add_items(items)

    asyncio.run(fill())
    return path


def one_of_each(path: Path, *sessions: str) -> Path:
    """A store at `path` with one message in each of `sessions`."""
    return filled(path, {session: [user("x")] for session in sessions})


class Terminal:
    """A command that runs at a terminal."""

    def __init__(self, process: subprocess.Popen[bytes], descriptor: int) -> None:
        self.process = process
        self._descriptor = descriptor

    def types(self, text: str) -> None:
        """Press these keys."""
        os.write(self._descriptor, text.encode())

    def shows(self, text: str) -> str:
        """All new text on the screen, up to and with `text`; waits for it."""
        seen = ""
        while text not in seen:
            ready, _, _ = select.select([self._descriptor], [], [], 60)
            assert ready, seen
            seen += os.read(self._descriptor, 4096).decode()
        return seen

    def interrupted(self) -> int:
        """Press Ctrl-C; returns the exit status.

        It is pressed until it takes effect: Python may miss one right before it waits for a line.
        It is not pressed again while the command is ending: that would kill Python.
        """
        while True:
            self.process.send_signal(signal.SIGINT)
            while True:
                before = self._work()
                try:
                    return self.process.wait(5)
                except subprocess.TimeoutExpired:
                    if before.startswith("S") and self._work() == before:
                        break  # it does nothing, so it still waits for a line

    def _work(self) -> str:
        """The state of the process, and how much time of a processor it has taken."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        state, *others = stat.rpartition(")")[2].split()
        return " ".join([state, *others[10:12]])


@contextmanager
def at_a_terminal(
    *arguments: object, into: IO[bytes] | None = None, **environment: str
) -> Iterator[Terminal]:
    """Run a command at a terminal of 24 lines, to the end of the block.

    into: where its output goes instead; its error output still goes to the terminal.
    """
    ours, theirs = pty.openpty()
    environment = {"TERM": "xterm", "LINES": "24", **environment}
    try:
        with subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdin=theirs,
            stdout=into or theirs,
            stderr=theirs,
            env=_environment(environment),
        ) as process:
            os.close(theirs)
            try:
                yield Terminal(process, ours)
            finally:
                process.kill()
    finally:
        os.close(ours)


def _argument(value: object) -> str | bytes:
    return value if isinstance(value, bytes) else str(value)


def _environment(more: dict[str, str]) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if name not in _HIDDEN}
    return {**ours, "COLUMNS": "100", "NO_COLOR": "1", "TZ": "UTC", **more}
