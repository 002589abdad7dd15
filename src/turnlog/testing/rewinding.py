"""Promises of rewinds, edits and comparisons on every store, as a test class."""

from __future__ import annotations

import asyncio

import pytest

from turnlog.conversation.session import StoredSession
from turnlog.errors import BranchNameUsed, Conflict, NoSuchBranch, NoSuchRecord, NoSuchTurn
from turnlog.testing.conversation import said
from turnlog.testing.three_turns import ThreeTurns, branch_names, on_branch, records_of, turns

__all__ = ["RewindingTests"]


class RewindingTests(ThreeTurns):
    """Promises of rewinding and editing. The class that inherits it has `stored`."""

    # Rewinding

    async def test_a_turn_and_all_behind_it_go(self, talk: StoredSession) -> None:
        kept = (await records_of(talk))[:2]
        assert await talk.rewind(turn=2) == 4
        assert await records_of(talk) == kept
        with pytest.raises(NoSuchTurn):
            await talk.rewind(turn=2)
        assert await talk.rewind(turn=1) == 2
        assert await talk.get_items() == []

    async def test_the_newest_turns_go(self, talk: StoredSession) -> None:
        assert await talk.rewind(turns=1) == 2
        assert await talk.get_items() == turns(1, 2)
        assert await talk.rewind(turns=5) == 4
        assert await talk.rewind(turns=1) == 0

    async def test_what_comes_before_the_first_question(self, stored: StoredSession) -> None:
        await stored.add_items([{"role": "system", "content": "Be kind."}, *turns(1)])
        assert await stored.rewind(turns=2) == 2
        assert await stored.get_items() == [{"role": "system", "content": "Be kind."}]
        assert await stored.rewind(turn=0) == 1

    async def test_all_behind_a_position_goes(self, talk: StoredSession) -> None:
        records = await records_of(talk)
        assert await talk.rewind(position=records.positions[-1]) == 0
        assert await talk.rewind(position=records.positions[2]) == 3
        assert await records_of(talk) == records[:3]
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
        assert await talk.get_items() == turns(1, 2, 3)

    async def test_a_branch_keeps_what_is_rewound(self, talk: StoredSession) -> None:
        before = await records_of(talk)
        assert await talk.rewind(turns=2, keep_as="kept") == 4
        assert await talk.get_items() == turns(1)
        kept = await records_of(talk, "kept")
        assert list(kept.payloads) == list(before.payloads)
        assert list(kept.times) == list(before.times)
        with pytest.raises(BranchNameUsed):
            await talk.rewind(turns=1, keep_as="kept")
        assert await talk.get_items() == turns(1)

    async def test_a_rewind_drops_nothing_that_was_not_read(self, talk: StoredSession) -> None:
        """Others add while it happens: it drops what it saw, or raises and drops nothing."""
        added = 0
        for _ in range(4):
            rewinding = talk.rewind(turns=1)
            answer, _ = await asyncio.gather(
                rewinding, on_branch(talk, talk.branch).add_items(turns(9)), return_exceptions=True
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
        assert await talk.get_items() == [*turns(1, 2), answer]
        assert await on_branch(talk, "kept").get_items() == [*turns(1, 2, 3), said("a question")]

    # Editing

    async def test_an_edit_is_a_fork_with_another_item(self, talk: StoredSession) -> None:
        before = await records_of(talk)
        edited = await talk.edit(before.positions[2], said("rather this"), "try")
        assert edited.branch == "try"
        assert await edited.get_items() == [*turns(1), said("rather this")]
        assert list((await records_of(edited)).times)[:2] == list(before.times)[:2]
        assert await records_of(talk) == before
        first = await talk.edit(before.positions[0], said("anew"))
        assert await first.get_items() == [said("anew")]

    async def test_an_edit_of_what_is_not_there_is_refused(self, talk: StoredSession) -> None:
        last = (await records_of(talk)).positions[-1]
        for position in (0, last + 1):
            with pytest.raises(NoSuchRecord, match="has no record at position"):
                await talk.edit(position, said("x"), "try")
        with pytest.raises(TypeError):
            await talk.edit(last, {"content": {1, 2}}, "try")
        assert "try" not in await branch_names(talk)

    # Comparing

    async def test_branches_are_compared(self, talk: StoredSession) -> None:
        positions = (await records_of(talk)).positions
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
