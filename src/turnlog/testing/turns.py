"""Promises of every session over a store: its turns are numbered and listed, as a test class."""

from __future__ import annotations

import time
from typing import Any

import pytest

from turnlog.conversation.reading.log import LogReader
from turnlog.conversation.reading.turn_index import TurnIndex
from turnlog.conversation.session import StoredSession
from turnlog.items.json import Item
from turnlog.records import Log
from turnlog.testing.conversation import said
from turnlog.testing.counting import Counting

__all__ = ["TurnTests"]

ANSWER: Item = {"role": "assistant", "content": "yes"}

#: The records that the newest 20 of many short turns may cost, with those that number them.
MOST_READ = 300


def _turns(count: int) -> list[Item]:
    """Turns of one question and one answer."""
    return [item for number in range(1, count + 1) for item in (said(f"q{number}"), ANSWER)]


class TurnTests:
    """Promises about turns; `StoredSessionTests` includes them."""

    async def test_turns_are_listed(self, stored: StoredSession) -> None:
        assert await stored.turns() == []
        asked = {"role": "user", "content": [{"type": "input_text", "text": "two"}]}
        before = time.time()
        await stored.add_items([ANSWER, said("one"), ANSWER, ANSWER, asked])
        log = Log(stored.session_id, stored.branch)
        records = await stored.store.read(log)
        first, second = await stored.turns()
        assert (first.number, first.text, first.items) == (1, "one", 3)
        assert (second.number, second.text, second.items) == (2, "two", 1)
        assert (first.position, second.position) == (records.positions[1], records.positions[4])
        assert (first.created_at, second.created_at) == (records.times[1], records.times[4])
        assert before - 2 < first.created_at < time.time() + 2

    async def test_some_turns_are_listed(self, stored: StoredSession) -> None:
        await stored.add_items(_turns(9))
        every = await stored.turns()
        assert [turn.number for turn in every] == [*range(1, 10)]
        assert await stored.turns(3) == every[-3:]
        assert await stored.turns(3, before=5) == every[1:4]
        assert await stored.turns(before=5) == every[:4]
        assert await stored.turns(0) == await stored.turns(5, before=1) == []
        assert await stored.turns(100, before=100) == every

    @pytest.mark.parametrize(
        ("limit", "before", "error"),
        [
            (-1, None, ValueError),
            ("3", None, TypeError),
            (True, None, TypeError),
            (3, 1.5, TypeError),
        ],
    )
    async def test_limits_of_turns_that_make_no_sense(
        self, stored: StoredSession, limit: Any, before: Any, error: type[Exception]
    ) -> None:
        with pytest.raises(error, match=r"limit|before"):
            await stored.turns(limit, before)

    async def test_broken_records_belong_to_a_turn_and_begin_none(
        self, stored: StoredSession
    ) -> None:
        await stored.add_items([said("one")])
        log = Log(stored.session_id, stored.branch)
        await stored.store.append(log, [b"not json"])
        await stored.add_items([ANSWER, said("two")])
        assert [(turn.number, turn.items) for turn in await stored.turns()] == [(1, 2), (2, 1)]

    async def test_the_newest_turns_of_a_long_conversation_cost_little(
        self, stored: StoredSession
    ) -> None:
        await stored.add_items(_turns(1000))
        counting = stored.store = Counting(stored.store)
        assert [turn.number for turn in await stored.turns(20)] == [*range(981, 1001)]
        assert counting.records < MOST_READ
        log = Log(stored.session_id, stored.branch)
        starts = (await stored.store.read(log)).positions[::2]
        counting.records = 0
        assert await TurnIndex(LogReader(stored.store, log)).start_of(500) == starts[499]
        assert counting.records < MOST_READ

    async def test_turns_are_numbered_anew_behind_a_removal(self, stored: StoredSession) -> None:
        await stored.add_items(_turns(100))
        log = Log(stored.session_id, stored.branch)
        cut = (await stored.turns(1, before=51))[0].position
        await stored.store.remove(log, after=cut - 1)
        await stored.add_items(_turns(60))
        every = await stored.turns()
        assert [turn.number for turn in every] == [*range(1, 110)]
        assert await stored.turns(5) == every[-5:]
        assert await stored.turns(5, before=60) == every[54:59]
        for _ in range(2 * 50):
            await stored.pop_item()
        assert await stored.turns(5) == every[54:59]
