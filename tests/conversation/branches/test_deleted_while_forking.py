"""A run with the policy "branch" makes no branch of its own from a branch that was just deleted."""

from typing import Self

import pytest

from turnlog import StoredSession
from turnlog.changes import Change
from turnlog.conversation.turns.lease import Lease
from turnlog.errors import BranchDeleted
from turnlog.records import Log
from turnlog.stores.memory import MemoryStore
from turnlog.testing.three_turns import branch_names, turns

pytestmark = pytest.mark.anyio


class Overtaken(StoredSession):
    """A session whose branch is deleted right before a run makes a branch from it."""

    async def _plan_fork(self, name: str, at: int) -> tuple[Self, list[Change]]:
        await StoredSession(self.session_id, self.store).delete_branch(self.branch)
        return await super()._plan_fork(name, at)


async def test_no_branch_is_made_from_a_deleted_one() -> None:
    session = StoredSession("a", MemoryStore())
    await session.add_items(turns(1, 2))
    await session.fork("busy")
    overtaken = Overtaken("a", session.store, branch="busy")
    under_way = Lease(session.store, Log("a", "busy"))
    await under_way.take()
    with pytest.raises(BranchDeleted):
        async with overtaken.turn("two", policy="branch"):
            pass
    await under_way.give_back()
    assert await branch_names(session) == ["main"]
