"""Copies between conversations at OpenAI and other sessions: items, and what is known of them."""

from __future__ import annotations

import sys

from turnlog.conversation.about import About
from turnlog.conversation.protocol import Session
from turnlog.items.json import Item

__all__ = ["copied", "read_from"]


async def copied(items: list[Item], about: About, session: Session) -> None:
    """Add `items` to `session`, and what is known of them if it can hold that."""
    if items:
        await session.add_items(items)
    describe = getattr(session, "describe", None)
    if describe is not None and about != About():
        await describe(**vars(about))


async def read_from(session: Session) -> tuple[About | None, list[Item]]:
    """What is known of a conversation, None if that is nothing, and all of its items."""
    read_about = getattr(session, "about", None)
    about = None if read_about is None else await read_about()
    items = await session.get_items(limit=sys.maxsize)
    return (None if about == About() else about), items
