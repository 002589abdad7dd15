"""The promises of compaction: older turns are shown as a summary, and nothing is ever lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from random import Random

import pytest

from turnlog.conversation.compaction.summariser import Summarised, Summariser
from turnlog.conversation.session import StoredSession
from turnlog.items.json import Item
from turnlog.testing.compacted_branches import CompactedBranches
from turnlog.testing.compacted_usage import CompactedUsage
from turnlog.testing.conversation import said
from turnlog.testing.five_turns import beside, texts, told
from turnlog.testing.promises.cancelling import cancelled_at_random
from turnlog.testing.three_turns import on_branch, records_of, turns

__all__ = ["CompactionTests"]


class CompactionTests(CompactedBranches, CompactedUsage):
    """Older turns are shown as a summary. Their records stay, and it can be undone."""

    async def test_older_turns_are_shown_as_a_summary(self, five: StoredSession) -> None:
        before = await records_of(five)
        done = await five.compact(texts)
        assert done is not None
        assert (done.covers, done.covered, done.turns, done.added) == (before.positions[5], 6, 3, 6)
        assert done.is_stored
        shown = told(1, 2, 3, last=5)
        for session in (five, on_branch(five, five.branch)):
            assert await session.get_items() == await session.view() == shown
            assert await session.history() == turns(1, 2, 3, 4, 5)
            assert await session.get_items(7) == turns(1, 2, 3, 4, 5)[-7:]
            assert len(await session.turns()) == 5
        assert await records_of(five) == before

    async def test_a_summary_is_explained(self, five: StoredSession) -> None:
        await five.compact(texts)
        found = await five.explain()
        positions = (await records_of(five)).positions
        assert [each.item for each in found.shown] == await five.view()
        assert [(each.position, each.did) for each in found.shown] == [
            (None, "made up"),
            *((position, "kept") for position in positions[6:]),
        ]
        assert [each.position for each in found.left_out] == list(positions[:6])

    async def test_a_window_begins_behind_the_summary(self, five: StoredSession) -> None:
        await five.compact(texts)
        [summary, *_] = shown = await five.view()
        for settings in ({"max_turns": 1}, {"limit": 4}):
            assert await five.view(settings=settings) == [summary, *turns(5)]
        assert await five.view(settings={"max_turns": 9}) == shown
        assert await five.view(limit=2) == turns(5), "a summary leaves room for a turn"
        assert await five.view(limit=1) == await five.view(limit=0) == []

    async def test_a_dry_run_only_tells(self, five: StoredSession) -> None:
        planned = await five.compact(keep=1, dry_run=True)
        assert planned is not None
        assert (planned.covered, planned.is_stored, planned.items) == (8, False, [])
        assert await five.get_items() == turns(1, 2, 3, 4, 5)

    @pytest.mark.parametrize("keep", [5, 6, 100])
    async def test_without_anything_to_cover_nothing_is_done(
        self, five: StoredSession, keep: int
    ) -> None:
        assert await five.compact(texts, keep=keep) is None
        assert await five.store.read(beside(five)) == []

    async def test_wrong_arguments_are_refused(self, five: StoredSession) -> None:
        with pytest.raises(TypeError, match="summariser"):
            await five.compact()
        with pytest.raises(ValueError, match="keep"):
            await five.compact(texts, keep=-1)

    async def test_the_last_turn_stays_until_it_is_answered(self, five: StoredSession) -> None:
        await five.add_items([said("question 6")])
        done = await five.compact(texts, keep=0)
        assert done is not None
        assert await five.get_items() == [*told(1, 2, 3, 4, 5), said("question 6")]
        await five.add_items(turns(6)[1:])
        await five.compact(texts, keep=0)
        assert len(await five.get_items()) == 1

    async def test_summaries_follow_on_each_other_and_are_undone(self, five: StoredSession) -> None:
        views = [await five.get_items()]
        for keep in (3, 2, 1):
            assert await five.compact(texts, keep=keep)
            views.append(await five.get_items())
        for view in reversed(views[:-1]):
            assert await five.drop_summary()
            assert await five.get_items() == await five.view() == view
        assert not await five.drop_summary()

    async def test_the_record_names_what_wrote_it(self, five: StoredSession) -> None:
        async def summarise(items: list[Item]) -> Summarised:
            return Summarised([said(str(len(items)))], "m", {"input_tokens": 3})

        done = await five.compact(summarise)
        assert done is not None
        assert (done.model, done.usage, done.items) == ("m", {"input_tokens": 3}, [said("6")])
        assert await five.get_items() == [said("6"), *turns(4, 5)]

    async def test_a_failing_summariser_changes_nothing(self, five: StoredSession) -> None:
        async def fails(items: list[Item]) -> str:
            raise ConnectionError(len(items))

        async def says_nothing(items: list[Item]) -> str:
            return " " if items else ""

        for summarise, error in ((fails, ConnectionError), (says_nothing, ValueError)):
            with pytest.raises(error):
                await five.compact(summarise)
        assert await five.get_items() == turns(1, 2, 3, 4, 5)
        assert await five.store.read(beside(five)) == []

    # What happens meanwhile

    def _during(self, act: Callable[[], Awaitable[object]]) -> Summariser:
        """A summariser while which something else happens."""

        async def summarise(items: list[Item]) -> str:
            await act()
            return await texts(items)

        return summarise

    async def test_what_is_added_meanwhile_is_shown(self, five: StoredSession) -> None:
        other = on_branch(five, five.branch)
        assert await five.compact(self._during(lambda: other.add_items(turns(6))))
        assert await five.get_items() == told(1, 2, 3, last=6)

    async def test_what_is_popped_meanwhile_is_gone(self, five: StoredSession) -> None:
        other = on_branch(five, five.branch)
        assert await five.compact(self._during(other.pop_item))
        assert await five.get_items() == told(1, 2, 3, last=5)[:-1]

    async def test_a_summary_of_what_is_gone_is_not_stored(self, five: StoredSession) -> None:
        other = on_branch(five, five.branch)
        assert await five.compact(self._during(lambda: other.rewind(turns=3))) is None
        assert await five.get_items() == turns(1, 2)
        await five.add_items(turns(3, 4))
        assert await five.compact(self._during(other.clear_session)) is None
        assert await five.get_items() == []

    async def test_one_of_two_summaries_is_stored(self, five: StoredSession) -> None:
        other = on_branch(five, five.branch)
        assert await five.compact(self._during(lambda: other.compact(texts, keep=1))) is None
        assert await five.get_items() == told(1, 2, 3, 4, last=5)

    async def test_a_cancelled_compaction_is_done_or_not(self, five: StoredSession) -> None:
        chance = Random(3)  # noqa: S311 - the same moments in every run
        states = ([*turns(1, 2, 3, 4, 5)], told(1, 2, 3, last=5))
        for _ in range(12):
            returned = await cancelled_at_random(chance, five.compact(texts))
            found = await on_branch(five, five.branch).get_items()
            assert found in (states[1:] if returned else states)
            await five.drop_summary()

    # Turns

    async def test_a_turn_is_shown_the_summary(self, five: StoredSession) -> None:
        await five.compact(texts)
        for number, session in ((6, on_branch(five, five.branch)), (7, five)):
            async with session.turn(f"question {number}") as turn:
                shown = told(1, 2, 3, last=number)[:-1]
                assert turn.input == shown
                assert await session.view() == shown
                await turn.add(turns(number)[1:])

    async def test_a_summary_is_seen_by_a_turn_that_begins_at_the_same_time(
        self, five: StoredSession
    ) -> None:
        handle = on_branch(five, five.branch)
        await handle.get_items()
        await five.compact(texts)
        async with handle.turn("question 6") as turn:
            assert turn.input == [*told(1, 2, 3, last=5), said("question 6")]
        await five.drop_summary()
        async with handle.turn("question 7") as turn:
            assert turn.input[:10] == turns(1, 2, 3, 4, 5)

    async def test_a_turn_under_way_is_not_covered(self, five: StoredSession) -> None:
        call = {"type": "function_call", "call_id": "c", "name": "look", "arguments": "{}"}
        output = {"type": "function_call_output", "call_id": "c", "output": "seen"}
        other = on_branch(five, five.branch)
        async with five.turn("question 6") as turn:
            await turn.add([call])
            await five.add_items(turns(7))  # an agent that is asked by the tool
            # The second is not within the turn, as if another process did it.
            for session, context in ((five, copy_context()), (other, Context())):
                work = session.compact(texts, keep=0)
                assert await asyncio.create_task(work, context=context)
                assert await session.get_items() == [
                    *told(1, 2, 3, 4, 5),
                    said("question 6"),
                    call,
                    *turns(7),
                ]
                assert await session.drop_summary()
            await turn.add([output, *turns(6)[1:]])
        assert await five.compact(texts, keep=0)
        assert len(await five.get_items()) == 1

    async def test_turns_and_compactions_at_the_same_time(self, five: StoredSession) -> None:
        other = on_branch(five, five.branch)

        async def ask() -> None:
            for number in range(6, 12):
                async with five.turn(f"question {number}") as turn:
                    await turn.add(turns(number)[1:])

        async def compact() -> None:
            for _ in range(6):
                await other.compact(texts)

        await asyncio.gather(ask(), compact())
        await five.compact(texts)
        assert await five.get_items() == told(*range(1, 10), last=11)
        assert await five.history() == turns(*range(1, 12))
