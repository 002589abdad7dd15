"""Walking: all conversations of a store, one by one, while others read and write."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from turnlog.store import Head, Store

__all__ = ["walk"]

_PAGE = 500
#: A conversation is taken for newer than the walk if it is so many seconds younger: the clock of
#: the database may be another one.
_SKEW = 60.0


async def walk(store: Store, prefix: str = "") -> AsyncIterator[Head]:
    """The head of each conversation that was there when the walk began, each once.

    The least recently changed come first. One that changes meanwhile moves to the end, so it is
    still ahead. A page that is not full holds all that are ahead, so nothing is left behind it.
    """
    began, done, after = time.time() + _SKEW, set[str](), None
    while True:
        page = await store.sessions(prefix=prefix, after=after, limit=_PAGE, oldest=True)
        for head in page:
            if head.log.session not in done and head.created_at < began:
                done.add(head.log.session)
                yield head
        if len(page) < _PAGE:
            return
        after = page[-1].cursor
