"""Tail of a conversation at OpenAI, whose items are not equal to what was added."""

from __future__ import annotations

from turnlog.conversation.reading.tail import ListedTail
from turnlog.items.json import Item
from turnlog.sessions.conversations.forms import are_same

__all__ = ["ConversationTail"]


class ConversationTail(ListedTail):
    """The newest part of a conversation, to be read backwards as far as is needed."""

    def are_equal(self, stored: list[Item], given: list[Item]) -> bool:
        return are_same(stored, given)
