"""Removal of the newest item of a conversation at OpenAI, by one caller only."""

from __future__ import annotations

from turnlog.errors import PopUncertain
from turnlog.items.json import Item
from turnlog.sessions.conversations.client import NotFoundError, is_transient
from turnlog.sessions.conversations.remote import Remote
from turnlog.sessions.conversations.retrying import Waits

__all__ = ["popped"]


async def popped(remote: Remote, waits: Waits) -> Item | None:
    """Remove the newest item and return it as it was stored; None if there is none.

    An item that somebody else removes first is theirs: the next one is tried.

    Raises `PopUncertain` if the answer was lost and the item is gone, because somebody else may
    have removed it at the same time; and if it can't be known whether it is gone.
    """
    taken: str | None = None
    while True:
        newest = await remote.newest(2)
        if not newest:
            return None
        item, item_id = newest[-1], str(newest[-1]["id"])
        try:
            await _deleted(remote, item, item_id, waits)
        except NotFoundError as error:
            # A list may lag behind: then the same item is seen again.
            if item_id == taken and not await waits.again(error):
                raise
            taken = item_id
        else:
            return item


async def _deleted(remote: Remote, item: Item, item_id: str, waits: Waits) -> None:
    """Delete the item; raises `NotFoundError` if somebody else has done so."""
    while True:
        try:
            await remote.delete_item(item_id)
        except Exception as error:
            if not is_transient(error):
                raise
            failed = error
        else:
            return
        is_over = not await waits.again(failed)
        if not await _is_there(remote, item_id, waits):
            raise PopUncertain(item) from failed
        if is_over:
            raise failed


async def _is_there(remote: Remote, item_id: str, waits: Waits) -> bool:
    """Whether the item is there for certain."""
    while True:
        try:
            return await remote.has(item_id)
        except Exception as error:  # noqa: BLE001 - the caller tells of the lost answer
            if not is_transient(error) or not await waits.again(error):
                return False
