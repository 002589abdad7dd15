"""About a conversation: title, tags, owner, archived and hold, kept in the note of "main"."""

from __future__ import annotations

from dataclasses import dataclass

from turnlog.conversation.handle import Handle

__all__ = ["About", "Described"]


@dataclass(frozen=True)
class About:
    """What is known about a conversation, beside its items."""

    title: str | None = None
    tags: tuple[str, ...] = ()
    owner: str | None = None
    archived: bool = False
    hold: bool = False


class Described(Handle):
    """What a session can tell about its conversation."""

    async def about(self) -> About:
        """Title, tags, owner, and whether it is archived or on hold."""
        raise NotImplementedError

    async def describe(self, **changes: object) -> About:
        """Change some of it, and leave the rest as it is."""
        raise NotImplementedError
