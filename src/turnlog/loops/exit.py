"""Exit functions: what is closed when the process ends, and in which order."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from contextlib import ExitStack
from typing import Literal, TypeAlias

__all__ = ["Stage", "at_exit"]

#: What an exit function ends: "work" that is under way on stores, or the "stores" themselves.
Stage: TypeAlias = Literal["work", "stores"]

_functions: dict[Stage, list[Callable[[], None]]] = {"work": [], "stores": []}


def at_exit(close: Callable[[], None], stage: Stage) -> None:
    """Call `close` when the process ends.

    All work is ended before the first store is closed, whichever module was imported first.
    Within a stage, the function that was registered last is called first. If one raises, the
    others are called all the same.
    """
    _functions[stage].append(close)


def _run() -> None:
    with ExitStack() as stack:  # calls the last first
        for close in (*_functions["stores"], *_functions["work"]):
            stack.callback(close)


atexit.register(_run)
