"""Writers of one process to one document go one after the other, and so rarely collide."""

from __future__ import annotations

import asyncio
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Hashable
from typing import TypeAlias

__all__ = ["Turns"]

_Locks: TypeAlias = weakref.WeakValueDictionary[Hashable, asyncio.Lock]


class Turns:
    """A lock for each name on each event loop. They order tasks; etags keep the promises."""

    def __init__(self) -> None:
        self._locks: weakref.WeakKeyDictionary[AbstractEventLoop, _Locks] = (
            weakref.WeakKeyDictionary()
        )

    def of(self, name: Hashable) -> asyncio.Lock:
        """The lock of everyone on this loop who asks for `name` now."""
        locks = self._locks.setdefault(asyncio.get_running_loop(), weakref.WeakValueDictionary())
        return locks.setdefault(name, asyncio.Lock())
