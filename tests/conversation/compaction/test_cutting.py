"""Cuts lie between turns, and divide no call from its output."""

from random import Random

import pytest

from tests.random_histories import history
from tests.sample_items import answer, call, output, user
from tests.sizes import HISTORIES
from turnlog.conversation.compaction.cutting import cut
from turnlog.items.json import Item
from turnlog.items.pairing import pairs_in
from turnlog.items.turns import turn_starts

TURN = [user("q"), answer("a")]


@pytest.mark.parametrize(("keep", "expected"), [(0, 6), (1, 4), (2, 2), (3, 0), (4, 0), (9, 0)])
def test_the_newest_turns_stay(keep: int, expected: int) -> None:
    assert cut(TURN * 3, keep) == expected


def test_what_comes_before_the_first_turn_may_be_covered() -> None:
    note: Item = {"role": "system", "content": "a note"}
    assert cut([note, *TURN], 1) == 1
    assert cut([], 0) == cut([], 2) == 0


def test_a_turn_without_an_answer_stays() -> None:
    items = [*TURN, user("unanswered")]
    assert cut(items, 0) == cut(items, 1) == 2
    assert cut(items, 0, ended=3) == 3, "it was marked as over"


def test_records_that_can_not_be_read_count() -> None:
    assert cut([None, *TURN, None, *TURN], 1) == 4


def test_a_call_and_its_output_stay_together() -> None:
    """An agent that a tool asked has written its own turn between them."""
    items = [*TURN, user("q"), call("ask", 1), *TURN, output("done", 1), answer("a"), *TURN]
    assert cut(items, 1) == 8
    assert cut(items, 2) == 2


def test_a_call_without_output_may_be_covered_unless_a_run_is_under_way() -> None:
    items = [*TURN, user("q"), call("ask", 1), *TURN, *TURN]
    assert cut(items, 1) == 6
    assert cut(items, 1, open_from=0) == 2
    assert cut(items, 1, open_from=3) == 2
    assert cut(items, 1, open_from=4) == 6


@pytest.mark.proof
def test_random_histories_are_cut_between_turns() -> None:
    rng = Random(14)
    for seed in range(HISTORIES):
        items = history(seed)
        keep = rng.randint(0, 4)
        at = cut(items, keep)
        starts = turn_starts(items)
        assert at == 0 or at == len(items) or at in starts
        assert at == 0 or len([start for start in starts if start >= at]) >= min(keep, len(starts))
        for made, answered in pairs_in(items).outputs.items():
            assert answered is None or not made < at <= answered
