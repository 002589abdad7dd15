"""Accounting: the methods of a session that record and add up what its runs have spent."""

from __future__ import annotations

from typing import Literal, overload

from turnlog.conversation.handle import Handle
from turnlog.conversation.usage import Usage

__all__ = ["Accounting"]


class Accounting(Handle):
    """What a session can tell of the tokens that its runs have spent."""

    async def store_run_usage(self, result: object) -> None:
        """Record what a run has spent: the result of our Runner or of the SDK's."""
        raise NotImplementedError

    @overload
    async def usage(
        self,
        by: None = None,
        *,
        branches: Literal["this", "all"] = "this",
        turns: int | None = None,
    ) -> Usage: ...

    @overload
    async def usage(
        self,
        by: Literal["turn"],
        *,
        branches: Literal["this", "all"] = "this",
        turns: int | None = None,
    ) -> dict[int | None, Usage]: ...

    @overload
    async def usage(
        self,
        by: Literal["run", "agent", "model"],
        *,
        branches: Literal["this", "all"] = "this",
        turns: int | None = None,
    ) -> dict[str, Usage]: ...

    async def usage(
        self,
        by: Literal["turn", "run", "agent", "model"] | None = None,
        *,
        branches: Literal["this", "all"] = "this",
        turns: int | None = None,
    ) -> Usage | dict[int | None, Usage] | dict[str, Usage]:
        """What the runs on this branch, or on all branches, have spent."""
        raise NotImplementedError
