"""Standard streams that accept any text of a conversation."""

import io
import os
import sys
from typing import IO

__all__ = ["prepare_streams"]


def prepare_streams() -> None:
    """Make the standard streams accept any text, and replace those that are closed.

    A character that the encoding lacks is written as its code, and a byte that can't be
    decoded is read as U+FFFD, so that a line in another encoding doesn't end a chat.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        # A stream that is closed at the start, as under some daemons, is None.
        stream = getattr(sys, name) or _null(mode)
        setattr(sys, name, stream)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace" if mode == "r" else "backslashreplace")


def _null(mode: str) -> IO[str]:
    """A stream that is empty, and discards what is written to it."""
    return open(os.open(os.devnull, os.O_RDWR), mode, closefd=False)
