"""Copies of conversations at OpenAI: to another session, and from one."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Unpack

from turnlog.conversation.about import About, Changes
from turnlog.conversation.protocol import Session
from turnlog.sessions.conversations.about import AboutRemote, told
from turnlog.sessions.conversations.arguments import check_other
from turnlog.sessions.conversations.forms import is_storable, shown
from turnlog.sessions.conversations.remote import Remote

__all__ = ["CopiedRemote"]


class CopiedRemote(ABC):
    """The part of a session at OpenAI that copies conversations."""

    _remote: Remote
    _about: AboutRemote

    @abstractmethod
    def _alone(self) -> AbstractAsyncContextManager[None]:
        """Within, no other call on this object is under way."""

    @abstractmethod
    async def describe(self, **changes: Unpack[Changes]) -> About:
        """Change some of what is known of the conversation."""

    @abstractmethod
    async def add_items(self, items: Iterable[object]) -> None:
        """Append `items`."""

    async def copy_to(self, session: Session) -> int:
        """Add all items, and what is known about the conversation, to another session.

        Returns how many items that were. On a stored session it is one write, all or nothing.
        Raises `ValueError` for a session on this conversation.
        """
        check_other(self, session)
        async with self._alone():
            found = [] if self._remote.id is None else await self._remote.all(everything=True)
            about = await self._about.read()
        if found:
            await session.add_items([shown(item) for item in found])
        describe = getattr(session, "describe", None)
        if describe is not None and (known := told(about)):
            await describe(**known)
        return len(found)

    async def copy_from(self, session: Session) -> int:
        """Add all items of another session, and what is known about it; returns how many.

        Left out is what `add_items` leaves out, and it raises the same. Raises `ValueError` for a
        session on this conversation.
        """
        check_other(self, session)
        read_about = getattr(session, "about", None)
        if read_about is not None and (known := told(await read_about())):
            await self.describe(**known)
        given = await session.get_items(limit=sys.maxsize)
        kept = [item for item in given if is_storable(item)]
        await self.add_items(kept)
        return len(kept)
