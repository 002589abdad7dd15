"""Forks: refusing in a child process what its parent had in use."""

from __future__ import annotations

import os
from weakref import WeakKeyDictionary

__all__ = ["check_process"]


def check_process(used: object, cure: str) -> None:
    """Raise `RuntimeError` in a forked child for what its parent had in use at the fork.

    Connections would be both processes': each would read what the other asked for.

    cure: what to do instead, for the message.
    """
    process = os.getpid()
    if _used_in.setdefault(used, process) != process:
        raise RuntimeError(f"the process was forked while this client was in use: {cure}")


_used_in: WeakKeyDictionary[object, int] = WeakKeyDictionary()
