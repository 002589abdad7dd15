"""A session with five turns, for tests of compaction, and a summariser that forgets nothing."""

from __future__ import annotations

import pytest

from turnlog.conversation.compaction.summariser import summary_item
from turnlog.conversation.session import StoredSession
from turnlog.items.json import Item
from turnlog.items.text import joined_text
from turnlog.records import Log
from turnlog.testing.three_turns import turns

__all__ = ["FiveTurns", "beside", "texts", "told"]


async def texts(items: list[Item]) -> str:
    """A summariser that forgets nothing: it joins the texts of all items."""
    plain = (joined_text(item.get("content")).rpartition("\n\n")[2] for item in items)
    return " / ".join(plain)


def told(*numbers: int, last: int = 0) -> list[Item]:
    """The summary that `texts` makes of turns, and the turns behind it up to number `last`."""
    joined = " / ".join(joined_text(item["content"]) for item in turns(*numbers))
    return [summary_item(joined), *turns(*range(numbers[-1] + 1, last + 1))]


def beside(session: StoredSession) -> Log:
    """The log of summaries of the branch that `session` stands on."""
    return Log(session.session_id, session.branch).beside("summaries")


class FiveTurns:
    """Tests of a session with five turns, `five`. The class that inherits it has `stored`."""

    @pytest.fixture
    async def five(self, stored: StoredSession) -> StoredSession:
        """A session with five turns."""
        await stored.add_items(turns(1, 2, 3, 4, 5))
        return stored
