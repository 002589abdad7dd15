"""Clearing of a conversation at OpenAI: it is deleted, and what is about it goes to the next one.

The API can't empty a conversation in one step. So it is deleted, and the next write creates
another one, with the owner, the tags, the hold and all other pairs of the old one's metadata.
"""

from __future__ import annotations

from contextlib import suppress

from turnlog.sessions.conversations.beside import Beside
from turnlog.sessions.conversations.client import NotFoundError
from turnlog.sessions.conversations.erasing import erased
from turnlog.sessions.conversations.metadata import kept_pairs
from turnlog.sessions.conversations.remote import Remote
from turnlog.sessions.conversations.writing import Writing

__all__ = ["Clearing"]


class Clearing:
    """The clearing of the conversation of one session.

    beside: what lives in a store; None without one.
    writing: keeps the pairs until the next conversation is created.
    """

    def __init__(self, remote: Remote, beside: Beside | None, writing: Writing) -> None:
        self._remote = remote
        self._beside = beside
        self._writing = writing
        # The conversation that is being cleared, and its pairs.
        self._begun: tuple[str, dict[str, str]] = "", {}

    async def clear(self, conversation: str, *, erase: bool) -> None:
        """Delete the conversation. If that fails, the session stands on it as before.

        erase: delete its items first, one by one.
        """
        pairs = await self._pairs(conversation)
        if erase:
            await erased(self._remote)
        await self._remote.delete()
        if self._beside is not None:
            await self._beside.forget(conversation)
        self._remote.forget()
        self._writing.forget(pairs)

    async def _pairs(self, conversation: str) -> dict[str, str]:
        """What the next one is created with. Of one that is gone, what an earlier try has read."""
        if self._begun[0] != conversation:
            self._begun = conversation, {}
        with suppress(NotFoundError):
            self._begun = conversation, kept_pairs(await self._remote.metadata())
        return self._begun[1]
