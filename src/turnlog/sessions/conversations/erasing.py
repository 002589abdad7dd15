"""Erasure of the items of a conversation at OpenAI, which outlive the conversation itself."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from turnlog.sessions.conversations.client import NotFoundError
from turnlog.sessions.conversations.remote import Remote

__all__ = ["erased"]

#: How many items are read at a time, and how many requests are under way at once.
_PAGE, _AT_ONCE = 100, 8


async def erased(remote: Remote) -> None:
    """Delete every item. If that fails, some are left; calling it again goes on.

    A conversation that an earlier try has deleted has none to list any more.
    """
    while ids := await _newest(remote):
        for start in range(0, len(ids), _AT_ONCE):
            await _deleted(remote, ids[start : start + _AT_ONCE])


async def _newest(remote: Remote) -> list[str]:
    with suppress(NotFoundError):
        return [str(item["id"]) for item in await remote.newest(_PAGE)]
    return []


async def _deleted(remote: Remote, ids: list[str]) -> None:
    outcomes = await asyncio.gather(
        *(_delete(remote, each) for each in ids), return_exceptions=True
    )
    for outcome in outcomes:
        if outcome is not None:
            raise outcome


async def _delete(remote: Remote, item_id: str) -> None:
    with suppress(NotFoundError):  # an earlier try, or somebody else, has deleted it
        await remote.delete_item_surely(item_id)
