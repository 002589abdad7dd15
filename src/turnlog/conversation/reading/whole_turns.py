"""All turns of a log, also what comes before the first question."""

from __future__ import annotations

from itertools import chain, pairwise

from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.reading.turn_index import Turn
from turnlog.items.turns import turn_starts

__all__ = ["whole_turns"]


async def whole_turns(reader: LogReader) -> list[Turn]:
    """Read the whole log and divide it into turns. Turn 0 is there only if it has items."""
    page = await reader.page()
    starts = turn_starts(page.decoded)
    bounds = [0, *starts, len(page.decoded)]
    positions, times = page.records, [*chain.from_iterable(page.times)]
    turns: list[Turn] = []
    for number, (start, end) in enumerate(pairwise(bounds)):
        items = [item for item in page.decoded[start:end] if item is not None]
        if items:
            last = positions[end - 1]
            turns.append(Turn(number, start, positions[start], last, times[start], items))
    return turns
