"""A session with three turns, for tests of branches on every store, and ways to look at it."""

from __future__ import annotations

from contextlib import suppress

import pytest

from turnlog.conversation.session import StoredSession
from turnlog.items.json import Item
from turnlog.records import Log, Records
from turnlog.store import Store
from turnlog.testing.conversation import said

__all__ = [
    "ThreeTurns",
    "ask_and_die",
    "branch_names",
    "log_lengths",
    "on_branch",
    "records_of",
    "turns",
]


class ThreeTurns:
    """Tests of a session with three turns, `talk`. The class that inherits it has `stored`."""

    @pytest.fixture
    async def talk(self, stored: StoredSession) -> StoredSession:
        """A session with three turns."""
        await stored.add_items(turns(1, 2, 3))
        return stored


def turns(*numbers: int) -> list[Item]:
    """A question and its answer for each of `numbers`."""
    return [item for number in numbers for item in _turn(number)]


def _turn(number: int) -> list[Item]:
    return [said(f"question {number}"), {"role": "assistant", "content": f"answer {number}"}]


async def ask_and_die(session: StoredSession, question: str) -> int:
    """Begin a turn that dies before there is an answer; returns how many items are stored then."""
    with suppress(_Died):
        async with session.turn(question):
            raise _Died
    return len(await session.get_items())


class _Died(Exception):
    """The end of a turn without an answer."""


def on_branch(session: StoredSession, branch: str) -> StoredSession:
    """Another session on a branch of the same conversation."""
    return StoredSession(session.session_id, session.store, branch=branch)


async def records_of(session: StoredSession, branch: str | None = None) -> Records:
    """All records of a branch; of the session's own for None."""
    log = Log(session.session_id, session.branch if branch is None else branch)
    return await session.store.read(log)


async def branch_names(session: StoredSession) -> list[str]:
    """The names of the branches, as listed."""
    return [branch.name for branch in await session.branches()]


async def log_lengths(store: Store, session: str) -> dict[str, int]:
    """How many records each log of a conversation has, by name."""
    return {head.log.name: head.length for head in await store.logs(session)}
