"""Processes that hold a session: the program `hold_session`, started and heard."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests import ROOT
from tests.programs import command

__all__ = ["holding", "said"]


@contextmanager
def holding(url: str, name: str, way: str = "run") -> Iterator[Any]:
    """Within, a process holds the session in this way, until it is killed or ends by itself."""
    pipe = subprocess.PIPE
    program = command("hold_session", url, name, way)
    with subprocess.Popen(program, stdin=pipe, stdout=pipe, cwd=ROOT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: Any) -> str:
    """The next line that it prints."""
    line: str = process.stdout.readline()
    return line.strip()
