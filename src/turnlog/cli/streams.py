"""Standard streams that no conversation can break."""

import io
import os
import sys
from typing import IO

__all__ = ["steady"]


def steady() -> None:
    """Make the standard streams take and give any text, and be there even if closed.

    What a stream's encoding has no place for is written out as its code, and what can't
    be decoded is read as U+FFFD: a line in an odd encoding is no reason to end a chat.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        # Closed at the start, as under some daemons, a stream is None.
        stream = getattr(sys, name) or _nothing(mode)
        setattr(sys, name, stream)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace" if mode == "r" else "backslashreplace")


def _nothing(mode: str) -> IO[str]:
    """A stream that is always at its end, and takes whatever is written to it."""
    return open(os.open(os.devnull, os.O_RDWR), mode, closefd=False)
