"""Pages: the items of a branch from the oldest to the newest, so many at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator

from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.summaries.reading import valid
from turnlog.items.json import Item

__all__ = ["pages_of"]

# Records read at once: enough that a round trip to a server counts little.
_PAGE = 500


async def pages_of(reader: LogReader, *, covered: bool) -> AsyncIterator[list[Item]]:
    """The items of `reader`'s log, oldest first, a part at a time; no part is empty.

    covered: also the items that a summary stands for. Otherwise the summary comes in their place.

    What others add meanwhile is shown as well, up to the last page.
    """
    after = 0
    if not covered:
        summary, _ = await valid(reader.store, reader.log)
        if summary is not None:
            after = summary.covers
            yield summary.items
    while (page := await reader.page(count=_PAGE, after=after, oldest=True)).decoded:
        after = page.newest
        if page.items:
            yield page.items
