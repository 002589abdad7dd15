"""`SystemExit` of tools and handoffs: an error of that code, not the end of the program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["exits_as_errors"]


@contextmanager
def exits_as_errors() -> Iterator[None]:
    """Within, `SystemExit` becomes a `RuntimeError`.

    A task that raises `SystemExit` stops its event loop, and so every other run on it.
    """
    try:
        yield
    except SystemExit as error:
        raise RuntimeError("a tool or handoff raised SystemExit, as sys.exit() does") from error
