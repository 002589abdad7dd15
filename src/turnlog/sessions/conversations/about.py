"""About a conversation at OpenAI: title, tags and owner in its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from turnlog.conversation.about import About, Changes
from turnlog.sessions.conversations.beside import Beside
from turnlog.sessions.conversations.metadata import about_in, changed
from turnlog.sessions.conversations.remote import Remote
from turnlog.sessions.conversations.writing import Writing

__all__ = ["AboutRemote", "told"]


def told(about: About) -> Changes:
    """What `about` tells, as changes for another conversation; what it doesn't is no change."""
    known = {name: value for name, value in vars(about).items() if value not in (None, (), False)}
    return cast("Changes", known)


class AboutRemote:
    """Facts about the conversation of one session.

    beside: what lives in a store, whose lists show it too; None without one.
    writing: keeps it until the conversation is created.
    """

    def __init__(self, remote: Remote, beside: Beside | None, writing: Writing) -> None:
        self._remote = remote
        self._beside = beside
        self._writing = writing

    async def read(self) -> About:
        """What is known; before the conversation is created, what it will be created with."""
        if self._remote.id is None:
            return about_in(self._writing.pairs)
        return about_in(await self._remote.metadata())

    async def change(self, changes: Mapping[str, object]) -> About:
        """Change some of it; returns what is known then."""
        if self._remote.id is None:
            self._writing.pairs = changed("", self._writing.pairs, changes)
            return about_in(self._writing.pairs)
        before = await self._remote.metadata()
        pairs = changed(self._remote.id, before, changes)
        if pairs != before:
            await self._remote.set_metadata(pairs)
        about = about_in(pairs)
        if self._beside is not None:
            await self._beside.describe(self._remote.id, about)
        return about
