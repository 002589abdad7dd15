"""The promises of usage where older turns are shown as a summary: it goes by the stored records."""

from __future__ import annotations

import pytest

from turnlog.conversation.compaction.policy import Compaction
from turnlog.conversation.compaction.summariser import Summarised
from turnlog.conversation.session import StoredSession
from turnlog.conversation.usage.usage import Usage
from turnlog.items.json import Item
from turnlog.testing.conversation import said
from turnlog.testing.five_turns import FiveTurns, told
from turnlog.testing.three_turns import on_branch, records_of, turns

__all__ = ["CompactedUsage"]

#: What each turn costs, and each summary.
_TURN, _SUMMARY = Usage(100, 5, requests=1), Usage(7, 2, requests=1)

_ALL = _TURN + _TURN + _SUMMARY


async def _summed(items: list[Item]) -> Summarised:
    return Summarised(told(len(items))[:1], "sums", {"input_tokens": 7, "output_tokens": 2})


class CompactedUsage(FiveTurns):
    """A summary costs what it costs, whatever becomes of it, and so do the turns it covers."""

    @pytest.fixture
    async def paid(self, five: StoredSession) -> StoredSession:
        """Seven turns: the last two have a known cost, and a summary was made behind the sixth."""
        for number in (6, 7):
            compaction = Compaction(_summed, max_turns=5)
            async with five.turn(f"question {number}", compaction=compaction) as turn:
                await turn.add(turns(number)[1:], usage=_TURN)
            assert (turn.compaction is not None) == (number == 6)
        assert len(await five.get_items()) == len([*turns(5, 6, 7), "the summary"])
        return five

    async def test_a_summary_is_counted_in_each_form(self, paid: StoredSession) -> None:
        assert await paid.usage() == await paid.usage(branches="all") == _ALL
        by_turn = await paid.usage("turn")
        assert (by_turn[6], by_turn[7]) == (_TURN + _SUMMARY, _TURN)
        assert await paid.usage("agent") == {"": _TURN + _TURN, "compaction": _SUMMARY}
        assert await paid.usage("model") == {"": _TURN + _TURN, "sums": _SUMMARY}
        by_run = (await paid.usage("run")).values()
        assert sorted(each.input_tokens for each in by_run) == [7, 100, 100]
        assert await paid.usage(turns=1) == _TURN
        assert [each.usage for each in await paid.turns()][5:] == [_TURN + _SUMMARY, _TURN]

    async def test_it_stays_counted_when_it_is_undone_or_void(self, paid: StoredSession) -> None:
        await paid.drop_summary()
        assert (await paid.usage("turn"))[6] == _TURN + _SUMMARY
        await paid.compact(_summed)
        assert (await paid.usage("turn"))[7] == _TURN + _SUMMARY, "it is of the newest turn"
        await paid.rewind(turn=5)
        assert await paid.get_items() == turns(1, 2, 3, 4), "no summary counts"
        assert (await paid.usage("turn"))[None] == await paid.usage() == _ALL + _SUMMARY

    async def test_forks_have_the_cost_of_what_they_copy(self, paid: StoredSession) -> None:
        for at, spent in ((None, _ALL), (7, _TURN + _SUMMARY), (6, Usage())):
            fork = await paid.fork(at=at)
            assert await fork.usage() == spent
            assert await paid.usage(branches="all") == _ALL, "what is copied is counted once"
        place = (await records_of(paid)).positions[12]
        edited = await paid.edit(place, said("else"))
        assert await edited.usage("agent") == {"": _TURN, "compaction": _SUMMARY}
        difference = await paid.diff(edited.branch)
        assert (difference.common_turns, len(difference.rows)) == (6, 2)
        await on_branch(paid, edited.branch).compact(_summed)
        assert await paid.usage(branches="all") == _ALL + _SUMMARY
