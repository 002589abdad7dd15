"""Promises of branches, rewinding and descriptions on every store, as a test class."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from turnlog.conversation.about import About
from turnlog.conversation.branches.positions import Position
from turnlog.conversation.session import StoredSession
from turnlog.errors import (
    BranchDeleted,
    BranchNameUsed,
    Conflict,
    LeaseLost,
    NoSuchBranch,
    NoSuchRecord,
    NoSuchTurn,
)
from turnlog.items.json import Item
from turnlog.records import Log, Records
from turnlog.store import Store
from turnlog.testing.conversation import said

__all__ = ["BranchingTests"]


def _turn(number: int) -> list[Item]:
    return [said(f"question {number}"), {"role": "assistant", "content": f"answer {number}"}]


def _turns(*numbers: int) -> list[Item]:
    return [item for number in numbers for item in _turn(number)]


def _on(session: StoredSession, branch: str) -> StoredSession:
    """Another session on a branch of the same conversation."""
    return StoredSession(session.session_id, session.store, branch=branch)


async def _records(session: StoredSession, branch: str | None = None) -> Records:
    log = Log(session.session_id, session.branch if branch is None else branch)
    return await session.store.read(log)


async def _names(session: StoredSession) -> list[str]:
    return [branch.name for branch in await session.branches()]


async def _logs(store: Store, session: str) -> dict[str, int]:
    return {head.log.name: head.length for head in await store.logs(session)}


class BranchingTests:
    """What a session promises of its branches. The class that inherits it has `stored`."""

    @pytest.fixture
    async def talk(self, stored: StoredSession) -> StoredSession:
        """A session with three turns."""
        await stored.add_items(_turns(1, 2, 3))
        return stored

    # Forks

    async def test_a_fork_is_a_copy_that_goes_its_own_way(self, talk: StoredSession) -> None:
        before = await _records(talk)
        forked = await talk.fork("try")
        assert type(forked) is type(talk)
        assert (forked.session_id, forked.branch) == (talk.session_id, "try")
        assert talk.branch != "try"
        copied = await _records(forked)
        assert list(copied.payloads) == list(before.payloads)
        assert list(copied.times) == list(before.times)
        await forked.pop_item()
        await forked.add_items([said("other")])
        assert await _records(talk) == before
        assert len(await forked.get_items()) == 6

    async def test_a_fork_copies_what_lies_before_a_turn(self, talk: StoredSession) -> None:
        for turn, kept in ((1, []), (2, _turns(1)), (3, _turns(1, 2))):
            assert await (await talk.fork(at=turn)).get_items() == kept

    async def test_a_fork_copies_up_to_a_position(self, talk: StoredSession) -> None:
        third = (await _records(talk)).positions[2]
        forked = await talk.fork("try", at=Position(third))
        assert await forked.get_items() == _turns(1, 2)[:3]
        assert await (await talk.fork(at=Position(0))).get_items() == []
        [branch] = [each for each in await talk.branches() if each.name == "try"]
        assert (branch.parent, branch.parted_at) == (talk.branch, third)

    async def test_a_fork_refuses_places_that_are_not_there(self, talk: StoredSession) -> None:
        before = await _logs(talk.store, talk.session_id)
        for turn in (4, 0):
            with pytest.raises(NoSuchTurn):
                await talk.fork(at=turn)
        with pytest.raises(ValueError, match="turn must be at least 0"):
            await talk.fork(at=-1)
        with pytest.raises(NoSuchRecord):
            await talk.fork(at=Position((await _records(talk)).positions[-1] + 1))
        assert await _logs(talk.store, talk.session_id) == before

    async def test_a_fork_of_nothing_exists(self, stored: StoredSession) -> None:
        forked = await stored.fork("empty")
        assert await forked.get_items() == []
        assert "empty" in await _names(stored)
        await stored.switch_to("empty")
        await stored.add_items([said("1")])
        assert await forked.get_items() == [said("1")]

    async def test_a_name_is_used_once(self, talk: StoredSession) -> None:
        await talk.fork("try")
        made = _on(talk, "just written")
        await made.add_items([said("1")])
        before = await _logs(talk.store, talk.session_id)
        for name in ("try", "main", "just written"):
            with pytest.raises(BranchNameUsed, match="already been used") as caught:
                await talk.fork(name)
            assert isinstance(caught.value, ValueError)
        assert await _logs(talk.store, talk.session_id) == before

    async def test_one_of_many_gets_a_name(self, talk: StoredSession) -> None:
        sessions = [_on(talk, talk.branch) for _ in range(4)]
        forks = [session.fork("try") for session in sessions]
        answers = await asyncio.gather(*forks, return_exceptions=True)
        assert sum(isinstance(answer, StoredSession) for answer in answers) == 1
        assert sum(isinstance(answer, BranchNameUsed) for answer in answers) == 3
        assert await _on(talk, "try").get_items() == _turns(1, 2, 3)

    async def test_branches_are_listed_in_the_order_of_their_forks(
        self, talk: StoredSession
    ) -> None:
        names = ["b", "a", "c", "ä/@ :x"]
        for turns, name in enumerate(names):
            await talk.fork(name, at=None if turns > 2 else turns + 1)
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
        assert await talk.get_items() == _turns(1)
        with pytest.raises(NoSuchBranch, match=r"^Branch 'none' does not exist"):
            await talk.switch_to("none")
        assert talk.branch == "try"
        await talk.switch_to(home)
        assert await talk.get_items() == _turns(1, 2, 3)
        await talk.switch_to("main")

    # Deleting

    async def test_a_deleted_branch_is_gone_with_all_that_is_its_own(
        self, talk: StoredSession
    ) -> None:
        await talk.fork("try")
        await talk.fork("other")
        await talk.store.append(Log(talk.session_id, ":usage@try"), [b"{}"])
        await talk.delete_branch("try")
        assert "try" not in await _names(talk)
        assert "other" in await _names(talk)
        logs = await _logs(talk.store, talk.session_id)
        assert [name for name in logs if name.endswith("try")] == [":deleted@try"]
        assert await _on(talk, "try").get_items() == []
        assert await _on(talk, "other").get_items() == _turns(1, 2, 3)
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
        assert "try" in await _names(talk)
        assert forked.branch == "try"
        await forked.delete_branch("try", force=True)
        assert forked.branch == "main"
        with pytest.raises(NoSuchBranch):
            await talk.delete_branch("try")

    async def test_no_other_session_brings_a_deleted_branch_back(self, talk: StoredSession) -> None:
        forked = await talk.fork("try")
        await talk.delete_branch("try")
        before = await _logs(talk.store, talk.session_id)
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
        assert await forked.pop_item() is None
        assert await forked.rewind(position=0) == 0
        assert await forked.get_items() == []
        assert await _logs(talk.store, talk.session_id) == before

    async def test_a_turn_does_not_outlive_its_branch(self, talk: StoredSession) -> None:
        forked = await talk.fork("try")
        async with forked.turn("under way") as turn:
            await _on(talk, talk.branch).delete_branch("try")
            with pytest.raises(LeaseLost):
                await turn.add([{"role": "assistant", "content": "too late"}])
        logs = await _logs(talk.store, talk.session_id)
        assert [name for name in logs if name.endswith("try")] == [":deleted@try"]

    async def test_one_of_many_deletes_a_branch(self, talk: StoredSession) -> None:
        await talk.fork("try")
        deletions = [_on(talk, talk.branch).delete_branch("try") for _ in range(3)]
        answers = await asyncio.gather(*deletions, return_exceptions=True)
        assert answers.count(None) == 1
        assert sum(isinstance(answer, NoSuchBranch) for answer in answers) == 2

    # Rewinding

    async def test_a_turn_and_all_behind_it_go(self, talk: StoredSession) -> None:
        kept = (await _records(talk))[:2]
        assert await talk.rewind(turn=2) == 4
        assert await _records(talk) == kept
        with pytest.raises(NoSuchTurn):
            await talk.rewind(turn=2)
        assert await talk.rewind(turn=1) == 2
        assert await talk.get_items() == []

    async def test_the_newest_turns_go(self, talk: StoredSession) -> None:
        assert await talk.rewind(turns=1) == 2
        assert await talk.get_items() == _turns(1, 2)
        assert await talk.rewind(turns=5) == 4
        assert await talk.rewind(turns=1) == 0

    async def test_what_comes_before_the_first_question(self, stored: StoredSession) -> None:
        await stored.add_items([{"role": "system", "content": "Be kind."}, *_turns(1)])
        assert await stored.rewind(turns=2) == 2
        assert await stored.get_items() == [{"role": "system", "content": "Be kind."}]
        assert await stored.rewind(turn=0) == 1

    async def test_all_behind_a_position_goes(self, talk: StoredSession) -> None:
        records = await _records(talk)
        assert await talk.rewind(position=records.positions[-1]) == 0
        assert await talk.rewind(position=records.positions[2]) == 3
        assert await _records(talk) == records[:3]
        with pytest.raises(NoSuchRecord):
            await talk.rewind(position=records.positions[-1])
        assert await talk.rewind(position=0) == 3

    @pytest.mark.parametrize(
        "wrong",
        [{}, {"turn": 1, "turns": 1}, {"turns": 0}, {"turn": -1}, {"position": -1}],
        ids=repr,
    )
    async def test_arguments_that_say_nothing_are_refused(
        self, talk: StoredSession, wrong: dict[str, int]
    ) -> None:
        with pytest.raises(ValueError, match=r"exactly one|at least"):
            await talk.rewind(**wrong)  # type: ignore[arg-type]
        assert await talk.get_items() == _turns(1, 2, 3)

    async def test_a_branch_keeps_what_is_rewound(self, talk: StoredSession) -> None:
        before = await _records(talk)
        assert await talk.rewind(turns=2, keep_as="kept") == 4
        assert await talk.get_items() == _turns(1)
        kept = await _records(talk, "kept")
        assert list(kept.payloads) == list(before.payloads)
        assert list(kept.times) == list(before.times)
        with pytest.raises(BranchNameUsed):
            await talk.rewind(turns=1, keep_as="kept")
        assert await talk.get_items() == _turns(1)

    async def test_a_rewind_drops_nothing_that_was_not_read(self, talk: StoredSession) -> None:
        """Others add while it happens: it drops what it saw, or raises and drops nothing."""
        added = 0
        for _ in range(4):
            rewinding = talk.rewind(turns=1)
            answer, _ = await asyncio.gather(
                rewinding, _on(talk, talk.branch).add_items(_turns(9)), return_exceptions=True
            )
            assert answer == 2 or isinstance(answer, Conflict)
            added += 2
            dropped = 2 if answer == 2 else 0
            added -= dropped
        assert len(await talk.get_items()) == 6 + added

    async def test_a_turn_rewinds_its_own_branch(self, talk: StoredSession) -> None:
        async with talk.turn("a question") as turn:
            assert await talk.rewind(turns=2, keep_as="kept") == 3
            await turn.add([{"role": "assistant", "content": "an answer"}])
        answer = {"role": "assistant", "content": "an answer"}
        assert await talk.get_items() == [*_turns(1, 2), answer]
        assert await _on(talk, "kept").get_items() == [*_turns(1, 2, 3), said("a question")]

    # Editing

    async def test_an_edit_is_a_fork_with_another_item(self, talk: StoredSession) -> None:
        before = await _records(talk)
        edited = await talk.edit(before.positions[2], said("rather this"), "try")
        assert edited.branch == "try"
        assert await edited.get_items() == [*_turns(1), said("rather this")]
        assert list((await _records(edited)).times)[:2] == list(before.times)[:2]
        assert await _records(talk) == before
        first = await talk.edit(before.positions[0], said("anew"))
        assert await first.get_items() == [said("anew")]

    async def test_an_edit_of_what_is_not_there_is_refused(self, talk: StoredSession) -> None:
        last = (await _records(talk)).positions[-1]
        for position in (0, last + 1):
            with pytest.raises(NoSuchRecord, match="has no record at position"):
                await talk.edit(position, said("x"), "try")
        with pytest.raises(TypeError):
            await talk.edit(last, {"content": {1, 2}}, "try")
        assert "try" not in await _names(talk)

    # Comparing

    async def test_branches_are_compared(self, talk: StoredSession) -> None:
        positions = (await _records(talk)).positions
        edited = await talk.edit(positions[2], said("rather this"), "try")
        await edited.add_items([{"role": "assistant", "content": "answer 2"}])
        for other in ("try", edited):
            found = await talk.diff(other)
            assert (found.parted_at, found.common_turns) == (positions[1], 1)
            rows = [(row.ours is None, row.theirs is None, row.same) for row in found.rows]
            assert rows == [
                (False, False, False),
                (False, False, True),
                (False, True, False),
                (False, True, False),
            ]
        with pytest.raises(NoSuchBranch):
            await talk.diff("none")
        with pytest.raises(ValueError, match="one conversation"):
            await talk.diff(StoredSession("another", talk.store))

    # Clearing

    async def test_clearing_keeps_what_is_about_the_conversation(self, talk: StoredSession) -> None:
        main = _on(talk, "main")
        await main.add_items(_turns(1))
        forked = await main.fork("try")
        await main.describe(title="T", tags=["a"], owner="o", archived=True, hold=True)
        await main.clear_session()
        assert await main.get_items() == []
        assert await main.about() == About(tags=("a",), owner="o", hold=True)
        assert await _names(main) == ["main"]
        assert await forked.get_items() == []
        with pytest.raises(BranchDeleted):
            await forked.add_items([said("again")])
        with pytest.raises(BranchNameUsed):
            await main.fork("try")
        await main.add_items(_turns(2))
        assert await main.get_items() == _turns(2)
        await main.clear_session()
        assert await main.get_items() == []

    async def test_a_plain_conversation_is_deleted_when_it_is_cleared(
        self, stored: StoredSession
    ) -> None:
        main = _on(stored, "main")
        await main.add_items(_turns(1))
        await main.describe(title="T", archived=True)
        await main.clear_session()
        assert await stored.store.logs(stored.session_id) == []

    async def test_clearing_a_branch_leaves_the_others(self, talk: StoredSession) -> None:
        forked = await talk.fork("try")
        await talk.store.append(Log(talk.session_id, ":usage@try"), [b"{}"])
        await forked.clear_session()
        assert await forked.get_items() == []
        assert "try" in await _names(talk)
        assert ":usage@try" not in await _logs(talk.store, talk.session_id)
        await forked.add_items([said("1")])
        assert await forked.get_items() == [said("1")]
        assert await talk.get_items() == _turns(1, 2, 3)

    async def test_a_turn_clears_its_own_conversation(self, talk: StoredSession) -> None:
        main = _on(talk, "main")
        await main.fork("try")
        async with main.turn("a question") as turn:
            await main.clear_session()
            await turn.add([{"role": "assistant", "content": "an answer"}])
        assert await main.get_items() == [{"role": "assistant", "content": "an answer"}]
        assert await _names(main) == ["main"]

    # Descriptions

    async def test_a_conversation_is_described(self, stored: StoredSession) -> None:
        assert await stored.about() == About()
        described = await stored.describe(title="Trip", tags=("a", "b"))
        assert described == About(title="Trip", tags=("a", "b"))
        assert await stored.describe(owner="o", title=None) == About(tags=("a", "b"), owner="o")
        assert await _on(stored, "side").about() == About(tags=("a", "b"), owner="o")
        assert await stored.get_items() == []

    async def test_descriptions_at_once_are_all_kept(self, stored: StoredSession) -> None:
        changes: Sequence[dict[str, object]] = [
            {"title": "T"},
            {"tags": ["a"]},
            {"owner": "o"},
            {"archived": True},
            {"hold": True},
        ]
        await asyncio.gather(*(_on(stored, "main").describe(**each) for each in changes))
        assert await stored.about() == About("T", ("a",), "o", archived=True, hold=True)

    @pytest.mark.parametrize(
        "wrong", [{"tilte": "T"}, {"title": 7}, {"tags": "a"}, {"tags": [1]}, {"hold": "yes"}]
    )
    async def test_what_describes_nothing_is_refused(
        self, stored: StoredSession, wrong: dict[str, object]
    ) -> None:
        [name] = wrong
        with pytest.raises(TypeError, match=name):
            await stored.describe(**wrong)
        assert await stored.about() == About()
