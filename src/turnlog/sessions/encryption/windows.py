"""Windows: reading the newest items that can be opened, past those that can't, within a budget."""

from __future__ import annotations

from turnlog.layers.encryption.sdk_format import was_wrong_key
from turnlog.sessions.encryption.opening import Found, Opener, Read

__all__ = ["newest"]


async def newest(
    opener: Opener, read: Read, ttl: float | None, limit: int | None, budget: int | None
) -> Found:
    """The newest `limit` items that can be opened, or all; and those that lie among them.

    It reads `limit` items, then twice as many, until that is enough or all there is.

    limit, budget: at least one of them is a number.
    budget: how many items may be read in all; those that are read again count again. Raises
        `RuntimeError` when that is not enough to know that the result is complete.
    """
    window = min(each for each in (limit, budget) if each is not None)
    while True:
        found = opener.open_all(await read(window), ttl)
        if limit is not None and len(found.items) >= limit:
            return opener.reported(found)
        if len(found.stored) < window:
            return opener.checked(found)
        following = window * 2
        if budget is not None:
            budget -= len(found.stored)
            following = min(following, budget)
            if following <= window:
                raise _exhausted(opener, found)
        window = following


def _exhausted(opener: Opener, found: Found) -> RuntimeError:
    if was_wrong_key(found.opened):
        opener.checked(found)  # raises
    return RuntimeError(
        "EncryptedSession: max_scan_items exhausted before it was known that the items are "
        "complete; raise max_scan_items, or remove old items from the wrapped session"
    )
