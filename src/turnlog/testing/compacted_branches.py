"""The promises of summaries when records are removed afterwards, and when branches are forked."""

from __future__ import annotations

import pytest

from turnlog.changes import Remove
from turnlog.conversation.branches.positions import Position
from turnlog.conversation.session import StoredSession
from turnlog.conversation.summaries.trimming import trimmed
from turnlog.records import Log
from turnlog.testing.conversation import said
from turnlog.testing.five_turns import FiveTurns, beside, texts, told
from turnlog.testing.three_turns import records_of, turns

__all__ = ["CompactedBranches"]


class CompactedBranches(FiveTurns):
    """A summary counts as long as nothing that it covers was removed; forks take it along."""

    # What is removed afterwards

    async def test_a_pop_below_it_voids_it(self, five: StoredSession) -> None:
        await five.compact(texts, keep=4)
        await five.compact(texts, keep=2)
        for _ in range(4):
            await five.pop_item()
        assert await five.get_items() == told(1, 2, 3)
        await five.pop_item()
        assert await five.get_items() == [*told(1), *turns(2, 3)[:-1]]
        await five.add_items([said("more")])
        assert await five.view() == [*told(1), *turns(2, 3)[:-1], said("more")]
        for _ in range(4):
            await five.pop_item()
        assert await five.get_items() == told(1)
        await five.pop_item()
        assert await five.get_items() == turns(1)[:1]
        assert not await five.drop_summary()

    async def test_an_emptied_branch_shows_no_summary(self, five: StoredSession) -> None:
        await five.compact(texts, keep=0)
        while await five.pop_item():
            pass
        await five.add_items(turns(7))
        assert await five.get_items() == turns(7)

    @pytest.mark.parametrize("way", ["clear", "rewind", "replace"])
    async def test_what_replaces_everything_is_shown(self, five: StoredSession, way: str) -> None:
        await five.compact(texts)
        if way == "clear":
            await five.clear_session()
        elif way == "rewind":
            await five.rewind(position=0)
        else:
            await five._atomic_replace_items([])  # noqa: SLF001 - the SDK's name
        assert await five.get_items() == []
        await five.add_items(turns(7))
        assert await five.get_items() == await five.view() == turns(7)

    async def test_it_outlives_the_removal_of_the_oldest_records(self, five: StoredSession) -> None:
        await five.compact(texts, keep=4)
        await five.compact(texts, keep=2)
        positions = (await records_of(five)).positions
        log = Log(five.session_id, five.branch)
        marks = await trimmed(five.store, log)
        oldest = Remove(log.name, before=positions[6], expect=positions[-1])
        await five.store.commit(log.session, [oldest, *marks])
        assert await five.get_items() == await five.view() == told(1, 2, 3, last=5)
        assert await five.history() == turns(4, 5)
        fork = await five.fork("f")
        assert await fork.get_items() == told(1, 2, 3, last=5)
        await five.compact(texts, keep=1)
        assert await five.get_items() == told(1, 2, 3, 4, last=5)
        await five.drop_summary()
        await five.drop_summary()
        assert await five.get_items() == turns(4, 5)

    async def test_a_voided_summary_stays_void_whatever_is_removed(
        self, five: StoredSession
    ) -> None:
        await five.compact(texts)
        await five.rewind(turn=2)
        await five.add_items(turns(6, 7))
        positions = (await records_of(five)).positions
        log = Log(five.session_id, five.branch)
        oldest = Remove(log.name, before=positions[2], expect=positions[-1])
        await five.store.commit(log.session, [oldest, *await trimmed(five.store, log)])
        assert await five.get_items() == turns(6, 7)

    # Forks

    async def test_a_fork_takes_along_what_covers_its_copy(self, five: StoredSession) -> None:
        await five.compact(texts, keep=4)
        await five.compact(texts, keep=2)
        for at, shown in (
            (None, told(1, 2, 3, last=5)),
            (4, told(1, 2, 3)),
            (3, told(1, last=2)),
            (1, []),
        ):
            fork = await five.fork(at=at)
            assert await fork.get_items() == await fork.view() == shown
            await fork.add_items(turns(9))
            assert await fork.get_items() == [*shown, *turns(9)]
            again = await fork.fork()
            assert await again.get_items() == [*shown, *turns(9)]
        edited = await five.edit((await records_of(five)).positions[8], said("else"))
        assert await edited.get_items() == [*told(1, 2, 3, last=4), said("else")]
        assert await five.get_items() == told(1, 2, 3, last=5)

    async def test_a_copied_summary_counts_before_its_position_is_written(
        self, five: StoredSession, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process may die between the two commits."""

        async def died(*_: object) -> None:
            pass

        await five.compact(texts)
        monkeypatch.setattr("turnlog.conversation.branches.forks.summaries_pinned", died)
        fork = await five.fork("f")
        assert await fork.get_items() == told(1, 2, 3, last=5)
        assert await (await fork.fork("g")).view() == told(1, 2, 3, last=5)
        for _ in range(5):
            await fork.pop_item()
        await fork.add_items([said("in its place")])
        assert await fork.get_items() == [*turns(1, 2, 3)[:5], said("in its place")]

    async def test_a_branch_of_its_own_has_its_own_summaries(self, five: StoredSession) -> None:
        fork = await five.fork("f", at=Position((await records_of(five)).positions[7]))
        await fork.compact(texts, keep=1)
        assert await five.get_items() == turns(1, 2, 3, 4, 5)
        assert await fork.get_items() == told(1, 2, 3, last=4)
        summaries = beside(fork)
        await five.delete_branch("f")
        assert await five.store.read(summaries) == []
