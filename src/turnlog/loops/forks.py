"""Forks: a check that a child process doesn't use the clients of its parent."""

from __future__ import annotations

import os
from weakref import WeakKeyDictionary

__all__ = ["check_process"]


def check_process(used: object, cure: str) -> None:
    """Raise `RuntimeError` in a forked child for a client that its parent has used.

    Both processes would share its connections, and each would read the other's answers.

    cure: what to do instead, for the message.
    """
    process = os.getpid()
    if _used_in.setdefault(used, process) != process:
        raise RuntimeError(f"this process was forked after its parent had used this client: {cure}")


_used_in: WeakKeyDictionary[object, int] = WeakKeyDictionary()
