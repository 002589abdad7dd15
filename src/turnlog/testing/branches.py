"""Promises of forks and of deleted branches on every store, as a test class."""

from __future__ import annotations

import asyncio

import pytest

from turnlog.conversation.branches.positions import Position
from turnlog.conversation.session import StoredSession
from turnlog.errors import (
    BranchDeleted,
    BranchNameUsed,
    LeaseLost,
    NoSuchBranch,
    NoSuchRecord,
    NoSuchTurn,
)
from turnlog.records import Log
from turnlog.testing.conversation import said
from turnlog.testing.three_turns import (
    ThreeTurns,
    ask_and_die,
    branch_names,
    log_lengths,
    on_branch,
    records_of,
    turns,
)

__all__ = ["BranchTests"]


class BranchTests(ThreeTurns):
    """Promises of forks and deleted branches. The class that inherits it has `stored`."""

    # Forks

    async def test_a_fork_is_a_copy_that_goes_its_own_way(self, talk: StoredSession) -> None:
        before = await records_of(talk)
        forked = await talk.fork("try")
        assert type(forked) is type(talk)
        assert (forked.session_id, forked.branch) == (talk.session_id, "try")
        assert talk.branch != "try"
        copied = await records_of(forked)
        assert list(copied.payloads) == list(before.payloads)
        assert list(copied.times) == list(before.times)
        await forked.pop_item()
        await forked.add_items([said("other")])
        assert await records_of(talk) == before
        assert len(await forked.get_items()) == 6

    async def test_a_fork_copies_what_lies_before_a_turn(self, talk: StoredSession) -> None:
        for turn, kept in ((1, []), (2, turns(1)), (3, turns(1, 2))):
            assert await (await talk.fork(at=turn)).get_items() == kept

    async def test_a_question_in_the_place_of_a_copied_one_is_a_new_one(
        self, talk: StoredSession
    ) -> None:
        """A fork knows of a copied turn that it is over, and not of one that takes its place."""
        async with talk.turn("again?") as turn:
            await turn.end()
        forked = await talk.fork("try")
        copied = len(await forked.get_items())
        assert await ask_and_die(forked, "again?") == copied + 1
        await forked.rewind(turns=2)
        assert await ask_and_die(forked, "again?") == copied
        assert await ask_and_die(forked, "again?") == copied

    async def test_a_fork_copies_up_to_a_position(self, talk: StoredSession) -> None:
        third = (await records_of(talk)).positions[2]
        forked = await talk.fork("try", at=Position(third))
        assert await forked.get_items() == turns(1, 2)[:3]
        assert await (await talk.fork(at=Position(0))).get_items() == []
        [branch] = [each for each in await talk.branches() if each.name == "try"]
        assert (branch.parent, branch.parted_at) == (talk.branch, third)

    async def test_a_fork_refuses_places_that_are_not_there(self, talk: StoredSession) -> None:
        before = await log_lengths(talk.store, talk.session_id)
        for turn in (4, 0):
            with pytest.raises(NoSuchTurn):
                await talk.fork(at=turn)
        with pytest.raises(ValueError, match="turn is -1; it must be at least 0"):
            await talk.fork(at=-1)
        with pytest.raises(NoSuchRecord):
            await talk.fork(at=Position((await records_of(talk)).positions[-1] + 1))
        assert await log_lengths(talk.store, talk.session_id) == before

    async def test_a_fork_of_nothing_exists(self, stored: StoredSession) -> None:
        forked = await stored.fork("empty")
        assert await forked.get_items() == []
        assert "empty" in await branch_names(stored)
        await stored.switch_to("empty")
        await stored.add_items([said("1")])
        assert await forked.get_items() == [said("1")]

    async def test_a_name_is_used_once(self, talk: StoredSession) -> None:
        await talk.fork("try")
        made = on_branch(talk, "just written")
        await made.add_items([said("1")])
        before = await log_lengths(talk.store, talk.session_id)
        for name in ("try", "main", "just written"):
            with pytest.raises(BranchNameUsed, match="already been used") as caught:
                await talk.fork(name)
            assert isinstance(caught.value, ValueError)
        assert await log_lengths(talk.store, talk.session_id) == before

    async def test_one_of_many_gets_a_name(self, talk: StoredSession) -> None:
        sessions = [on_branch(talk, talk.branch) for _ in range(4)]
        forks = [session.fork("try") for session in sessions]
        answers = await asyncio.gather(*forks, return_exceptions=True)
        assert sum(isinstance(answer, StoredSession) for answer in answers) == 1
        assert sum(isinstance(answer, BranchNameUsed) for answer in answers) == 3
        assert await on_branch(talk, "try").get_items() == turns(1, 2, 3)

    async def test_branches_are_listed_in_the_order_of_their_forks(
        self, talk: StoredSession
    ) -> None:
        names = ["b", "a", "c", "ä/@ :x"]
        for count, name in enumerate(names):
            await talk.fork(name, at=None if count > 2 else count + 1)
        listed = await talk.branches()
        forks = [branch for branch in listed if branch.name in names]
        assert [branch.name for branch in forks] == names
        assert [branch.turns for branch in forks] == [0, 1, 2, 3]
        assert [branch.items for branch in forks] == [0, 2, 4, 6]
        assert listed[0].name == "main"
        assert [branch.name for branch in listed if branch.is_current] == [talk.branch]
        assert all(branch.created_at > 1e9 for branch in forks)

    async def test_nothing_stored_is_one_empty_branch(self, stored: StoredSession) -> None:
        [main] = await stored.branches()
        assert (main.name, main.parent, main.turns, main.items) == ("main", None, 0, 0)

    # Switching

    async def test_a_session_moves_to_another_branch(self, talk: StoredSession) -> None:
        home = talk.branch
        await talk.fork("try", at=2)
        await talk.switch_to("try")
        assert await talk.get_items() == turns(1)
        with pytest.raises(NoSuchBranch, match=r"^Branch 'none' does not exist"):
            await talk.switch_to("none")
        assert talk.branch == "try"
        await talk.switch_to(home)
        assert await talk.get_items() == turns(1, 2, 3)
        await talk.switch_to("main")

    # Deleting

    async def test_a_deleted_branch_is_gone_with_all_that_is_its_own(
        self, talk: StoredSession
    ) -> None:
        await talk.fork("try")
        await talk.fork("other")
        await talk.store.append(Log(talk.session_id, ":usage@try"), [b"{}"])
        await talk.delete_branch("try")
        assert "try" not in await branch_names(talk)
        assert "other" in await branch_names(talk)
        logs = await log_lengths(talk.store, talk.session_id)
        assert [name for name in logs if name.endswith("try")] == [":deleted@try"]
        assert await on_branch(talk, "try").get_items() == []
        assert await on_branch(talk, "other").get_items() == turns(1, 2, 3)
        with pytest.raises(BranchNameUsed):
            await talk.fork("try")

    async def test_what_can_not_be_deleted_is_refused_in_order(self, talk: StoredSession) -> None:
        forked = await talk.fork("try")
        refused = [
            ("", False, "cannot be empty"),
            ("main", True, "Cannot delete the 'main' branch"),
            ("try", False, "Cannot delete current branch 'try'. Use force=True"),
            ("none", True, "Branch 'none' does not exist"),
            (":branches", True, "does not exist"),
        ]
        for name, force, problem in refused:
            with pytest.raises(ValueError, match=problem):
                await forked.delete_branch(name, force=force)
        assert "try" in await branch_names(talk)
        assert forked.branch == "try"
        await forked.delete_branch("try", force=True)
        assert forked.branch == "main"
        with pytest.raises(NoSuchBranch):
            await talk.delete_branch("try")

    async def test_a_session_shows_where_it_stands(self, talk: StoredSession) -> None:
        forked = await talk.fork("try")
        kind = type(talk).__name__
        assert repr(forked).startswith(f"{kind}({talk.session_id!r}, branch='try'")

    async def test_no_other_session_brings_a_deleted_branch_back(self, talk: StoredSession) -> None:
        forked = await talk.fork("try")
        await talk.delete_branch("try")
        before = await log_lengths(talk.store, talk.session_id)
        with pytest.raises(BranchDeleted, match=r"branch 'try' of session .* was deleted"):
            await forked.add_items([said("again")])
        with pytest.raises(BranchDeleted):
            await forked.add_items([said("again")], key="k")
        with pytest.raises(BranchDeleted):
            await forked.clear_session()
        with pytest.raises(BranchDeleted):
            await forked.fork("third")
        for policy in ("queue", "reject", "off", "branch"):
            with pytest.raises(BranchDeleted):
                async with forked.turn("again", policy=policy):
                    raise AssertionError("a turn has begun on a deleted branch")
        for position in (0, 1):
            with pytest.raises(BranchDeleted):
                await forked.rewind(position=position)
        with pytest.raises(BranchDeleted):
            await forked.rewind(turn=1)
        with pytest.raises(BranchDeleted):
            await forked.rewind(turns=1)
        for at in (1, Position(1)):
            with pytest.raises(BranchDeleted):
                await forked.fork("third", at=at)
        with pytest.raises(BranchDeleted):
            await forked.edit(1, said("other words"))
        assert await forked.pop_item() is None
        assert await forked.get_items() == []
        assert await log_lengths(talk.store, talk.session_id) == before

    async def test_a_turn_does_not_outlive_its_branch(self, talk: StoredSession) -> None:
        forked = await talk.fork("try")
        async with forked.turn("under way") as turn:
            await on_branch(talk, talk.branch).delete_branch("try")
            with pytest.raises(LeaseLost):
                await turn.add([{"role": "assistant", "content": "too late"}])
        logs = await log_lengths(talk.store, talk.session_id)
        assert [name for name in logs if name.endswith("try")] == [":deleted@try"]

    async def test_one_of_many_deletes_a_branch(self, talk: StoredSession) -> None:
        await talk.fork("try")
        deletions = [on_branch(talk, talk.branch).delete_branch("try") for _ in range(3)]
        answers = await asyncio.gather(*deletions, return_exceptions=True)
        assert answers.count(None) == 1
        assert sum(isinstance(answer, NoSuchBranch) for answer in answers) == 2
