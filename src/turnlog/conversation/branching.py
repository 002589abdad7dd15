"""Branching: the methods of a session that make, list, switch, compare and delete branches."""

from __future__ import annotations

from typing import Self

from turnlog.conversation.branches import Branch
from turnlog.conversation.diff import Difference
from turnlog.conversation.handle import Handle
from turnlog.conversation.positions import Position

__all__ = ["Branching"]


class Branching(Handle):
    """What a session can do with branches."""

    async def fork(self, name: str | None = None, *, at: int | Position | None = None) -> Self:
        """A session on a new branch that begins as a copy of this one."""
        raise NotImplementedError

    async def branches(self) -> list[Branch]:
        """The branches of the conversation, the oldest first; "main" is the first."""
        raise NotImplementedError

    async def switch_to(self, name: str) -> None:
        """Move this session to the branch `name`."""
        raise NotImplementedError

    async def delete_branch(self, name: str, force: bool = False) -> None:
        """Delete the branch `name`; its name is never free again."""
        raise NotImplementedError

    async def rewind(
        self,
        *,
        turn: int | None = None,
        turns: int | None = None,
        position: int | None = None,
        keep_as: str | None = None,
    ) -> int:
        """Drop the newest part of the branch; returns how many items went."""
        raise NotImplementedError

    async def edit(self, position: int, item: object, name: str | None = None) -> Self:
        """A fork that ends before `position`, with `item` instead of that record."""
        raise NotImplementedError

    async def diff(self, other: str | Handle) -> Difference:
        """Where this branch and another one part, and how they differ behind that."""
        raise NotImplementedError
