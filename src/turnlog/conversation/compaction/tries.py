"""Tries: a summary is asked for again if what failed may work a moment later."""

from __future__ import annotations

import asyncio
from random import uniform

from turnlog.conversation.compaction.summariser import Answer, Summariser, summary_by
from turnlog.items.json import Item, copied
from turnlog.loops.finishing import is_cancelled

__all__ = ["is_transient", "tried"]

_TRIES = 3

# The seconds before the second try, at most; before each later one, twice as many.
_DELAY = 0.5

#: HTTP's statuses of failures that pass: time is up, a conflict, too many requests.
_PASSING = {408, 409, 425, 429}


def tried(summarise: Summariser) -> Summariser:
    """`summarise`, tried three times if its errors are such as pass."""

    async def again(items: list[Item]) -> Answer:
        for number in range(_TRIES - 1):
            try:
                return await summary_by(summarise, copied(items))
            except asyncio.CancelledError as error:
                if is_cancelled():
                    raise
                raise RuntimeError("what the summariser waited for was cancelled") from error
            except Exception as error:
                if not is_transient(error):
                    raise
            await asyncio.sleep(_DELAY * 2**number * uniform(0.5, 1))  # noqa: S311 - no secret
        return await summary_by(summarise, copied(items))

    return again


def is_transient(error: Exception) -> bool:
    """Whether the same request may work a moment later.

    Clients of providers have no common class of errors. Those of HTTP have `status_code`; those
    without an answer are named as in the `openai` and `anthropic` packages.
    """
    if isinstance(error, TimeoutError | ConnectionError):
        return True
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return status in _PASSING or status >= 500  # noqa: PLR2004 - failures of servers
    return any(kind.__name__ == "APIConnectionError" for kind in type(error).__mro__)
