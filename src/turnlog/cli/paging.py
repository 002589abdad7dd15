"""Paging: output that goes through a pager as soon as it is longer than the terminal."""

import os
import shutil
import subprocess
from types import TracebackType
from typing import IO, Self

from rich.console import Console, RenderableType

__all__ = ["Output", "Screen"]


class Output(Console):
    """A console that raises `BrokenPipeError` when its reader has seen enough.

    Rich would end the process with the status of a failure.
    """

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


class Screen:
    """Standard output, printed part by part.

    At a terminal, the parts are held until they fill it. Then they go to the pager, and later
    parts follow at once. So a long conversation is shown from its beginning while the rest of it
    is still read, and little of it is in memory.
    """

    def __init__(self) -> None:
        self._console = Output()
        self._held: list[RenderableType] = []
        self._lines = 0
        self._pager: subprocess.Popen[str] | None = None
        #: Whether nothing was printed.
        self.is_empty = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Show what is held, and wait until the user has left the pager."""
        if self._pager is None:
            self._show_held()
            return False
        _end(self._pager)
        # The user has left the pager before the end, which is no error.
        return isinstance(error, BrokenPipeError)

    def print(self, part: RenderableType) -> None:
        """Print `part`. Raises `BrokenPipeError` if the reader has seen enough."""
        self.is_empty = False
        self._held.append(part)
        if self._console.is_terminal and self._pager is None:
            self._lines += len(self._console.render_lines(part))
            if self._lines <= self._console.height:
                return
            self._open_pager()
        self._show_held()

    def _show_held(self) -> None:
        held, self._held = self._held, []
        for part in held:
            self._console.print(part)

    def _open_pager(self) -> None:
        command = _pager()
        if command is not None:
            # $PAGER is a line for the shell, as in other programs.
            self._pager = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, text=True)  # noqa: S602
            self._console = Output(file=self._pager.stdin, width=self._console.width)


def _pager() -> str | None:
    """The command of the user's pager; None if there is none."""
    chosen = os.environ.get("PAGER")
    return chosen or next(filter(shutil.which, ("less", "more")), None)


def _end(pager: subprocess.Popen[str]) -> None:
    _close(pager.stdin)
    while True:
        try:
            pager.wait()
        except KeyboardInterrupt:
            continue  # Ctrl-C is for the pager, which shares the terminal
        return


def _close(pipe: IO[str] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except BrokenPipeError:
        pass  # the user has left the pager
