"""What a model has seen of what is stored, and what may be replaced."""

import pytest

from tests.sample_items import answer, call, output, user
from tests.strangers import TALK
from turnlog.items.json import Item
from turnlog.sessions.compaction.automatic import Stored, replaceable
from turnlog.sessions.compaction.digests import digest_of
from turnlog.sessions.compaction.matching import Exchange, Part, is_closed, seen_of
from turnlog.sessions.compaction.modes import Mode

REASONING: Item = {"type": "reasoning", "id": "rs_1", "summary": []}
REQUEST: Item = {"type": "mcp_approval_request", "id": "mcpr_1", "name": "n", "arguments": "{}"}
RESPONSE: Item = {
    "type": "mcp_approval_response",
    "approval_request_id": "mcpr_1",
    "approve": True,
}


def exchange(*items: Item, policy: str | None = None) -> Exchange:
    return Exchange(tuple(str(digest_of(item)) for item in items), policy)


@pytest.mark.parametrize(
    ("seen", "start"),
    [
        (TALK, 0),
        (TALK[1:], 1),
        ([user("new"), *TALK[:2], user("between"), *TALK[2:], user("behind")], 0),
        ([TALK[1], TALK[0], *TALK[2:]], 1),
        (TALK[:3], 4),
        ([], 4),
    ],
)
def test_seen_in_order_and_backwards(seen: list[Item], start: int) -> None:
    assert seen_of(TALK, exchange(*seen), ignore_ids=False) == Part(start, TALK[start:])


def test_the_same_item_twice() -> None:
    twice = [user("again"), user("again")]
    assert seen_of(twice, exchange(user("again")), ignore_ids=False).start == 1
    assert seen_of(twice, exchange(*twice), ignore_ids=False).start == 0


def test_ids_may_not_count() -> None:
    stored, seen = [answer("1", id="a")], exchange(answer("1"))
    assert seen_of(stored, seen, ignore_ids=False).start == 1
    assert seen_of(stored, seen, ignore_ids=True).start == 0


def test_reasoning_without_its_id() -> None:
    """The form in which the model has seen it is the one that is sent."""
    bare = {"type": "reasoning", "summary": []}
    assert seen_of([REASONING], exchange(bare), ignore_ids=False).items == []
    assert seen_of([REASONING], exchange(bare, policy="omit"), ignore_ids=False).items == [bare]
    kept = exchange(REASONING, policy="omit")
    assert seen_of([REASONING], kept, ignore_ids=False).items == [REASONING]


@pytest.mark.parametrize(
    ("items", "closed"),
    [
        (TALK, True),
        ([call(), output()], True),
        ([call()], False),
        ([output()], False),
        ([call(number=1), call(number=2), output(number=2)], False),
        ([REQUEST, RESPONSE], True),
        ([REQUEST], False),
        ([RESPONSE], False),
        ([{"type": "program", "call_id": "p"}], False),
        ([{"type": "program", "call_id": "p"}, {"type": "program_output", "call_id": "p"}], True),
        ([{"type": "tool_search_call"}], True),
        ([{"type": "web_search_call", "id": "ws_1"}], True),
    ],
)
def test_closed(items: list[Item], closed: bool) -> None:
    assert is_closed(items) is closed


@pytest.mark.parametrize(
    ("stored", "seen", "mode", "found"),
    [
        (Stored(TALK, is_complete=True, most_kept=0), TALK, "auto", (Part(0, TALK), False)),
        (Stored(TALK, is_complete=False, most_kept=0), TALK, "auto", "not all that is stored"),
        (Stored(TALK, is_complete=True, most_kept=0), TALK[2:], "auto", "not all that is stored"),
        (Stored(TALK, is_complete=True, most_kept=9), TALK[1:], "auto", (Part(2, TALK[2:]), True)),
        (Stored(TALK, is_complete=False, most_kept=9), TALK, "auto", (Part(0, TALK), True)),
        (
            Stored(TALK, is_complete=True, most_kept=9),
            TALK[1:],
            "previous_response_id",
            "the chain",
        ),
        (Stored(TALK, is_complete=True, most_kept=9), TALK[3:], "auto", "no user's message"),
        (Stored(TALK, is_complete=True, most_kept=1), TALK[2:], "auto", "more than 1 items"),
        (
            Stored([*TALK, call()], is_complete=True, most_kept=9),
            [*TALK, call()],
            "auto",
            "still open",
        ),
    ],
)
def test_what_may_be_replaced(
    stored: Stored, seen: list[Item], mode: Mode, found: tuple[Part, bool] | str
) -> None:
    result = replaceable(stored, exchange(*seen), mode, ignore_ids=False)
    if isinstance(found, str):
        assert isinstance(result, str)
        assert found in result
    else:
        assert result == found
