"""Those who wait for a session, in the order in which they came."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from typing import TypeAlias
from weakref import WeakKeyDictionary

__all__ = ["first_in_line"]

_Line: TypeAlias = deque[asyncio.Future[None]]


@asynccontextmanager
async def first_in_line(what: Hashable) -> AsyncIterator[None]:
    """Within, all who came earlier for `what`, in this event loop, have left the line."""
    loop = asyncio.get_running_loop()
    lines = _lines.setdefault(loop, {})
    line = lines.setdefault(what, deque())
    place = loop.create_future()
    line.append(place)
    try:
        if line[0] is not place:
            await place
        yield
    finally:
        line.remove(place)
        if line:
            _call(line[0])
        elif lines.get(what) is line:
            del lines[what]


def _call(place: asyncio.Future[None]) -> None:
    if not place.done():
        place.set_result(None)


_lines: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, _Line]] = WeakKeyDictionary()
