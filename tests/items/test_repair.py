"""Repair: providers accept every view, whatever is stored."""

import copy
import re
from pathlib import Path
from typing import Any

import openai.types.responses.response_input_item_param as published
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.providers.view_rules import PAIRS, accepted
from turnlog.items.json import Item
from turnlog.items.repair import INTERRUPTED, repair
from turnlog.items.turns import turn_starts

USER: Item = {"role": "user", "content": "hi"}
NOTE: Item = {"role": "developer", "content": "paid"}
SAID: Item = {"type": "message", "role": "assistant", "content": "hello"}
THOUGHT: Item = {"type": "reasoning", "id": "rs_1", "summary": []}
SEARCH: Item = {"type": "web_search_call", "id": "ws_1", "status": "completed"}


#: What the id "1" becomes when it is used again, and when it is used a third time.
AGAIN, THIRD = "call_020a7c91e30725bb19181898", "call_e57acc10f53c55bd65c8462f"
#: What calls without an id are called.
NAMELESS, NAMELESS_TOO = "call_0fc5165686190ca845407c03", "call_5749fdd6b67e4204b3047ba3"


def call(name: object, kind: str = "function_call", said: str = "{}") -> Item:
    given = {"input": said} if kind == "custom_tool_call" else {"arguments": said}
    return {"type": kind, "call_id": str(name), "name": "look", **given}


def output(name: object, kind: str = "function_call_output") -> Item:
    return {"type": kind, "call_id": str(name), "output": f"found {name}"}


def lost(name: object, kind: str = "function_call_output") -> Item:
    return {"type": kind, "call_id": str(name), "output": INTERRUPTED}


A, B, C = '{"at":"A"}', '{"at":"B"}', '{"at":"C"}'


def gave(name: object, given: str) -> Item:
    return {"type": "function_call_output", "call_id": str(name), "output": given}


def unnamed(item: Item) -> Item:
    """The same without the field; the two forms of "none" are told apart nowhere."""
    return {**item, "call_id": None}


CASES: dict[str, tuple[list[Item], list[Item]]] = {
    "nothing": ([], []),
    "a call whose output never came": ([USER, call(1)], [USER, call(1), lost(1)]),
    "and the user went on": (
        [USER, call(1), USER, SAID],
        [USER, call(1), lost(1), USER, SAID],
    ),
    "parallel calls, one interrupted": (
        [USER, call(1), call(2), output(2)],
        [USER, call(1), call(2), output(2), lost(1)],
    ),
    "outputs in the order in which they came": (
        [USER, call(1), call(2), output(2), output(1)],
        [USER, call(1), call(2), output(2), output(1)],
    ),
    "calls one after the other": (
        [USER, call(1), output(1), call(2), output(2), SAID],
        [USER, call(1), output(1), call(2), output(2), SAID],
    ),
    "words between calls": (
        [USER, call(1), SAID, call(2), output(1), output(2)],
        [USER, call(1), SAID, call(2), output(1), output(2)],
    ),
    "an output without its call": ([output(1), USER, SAID], [USER, SAID]),
    "an output before its call": ([USER, output(1), call(1)], [USER, call(1), lost(1)]),
    "an output that came twice": (
        [USER, call(1), output(1), output(1), SAID],
        [USER, call(1), output(1), SAID],
    ),
    "a name that is used again in the next turn": (
        [USER, call(1), output(1), USER, call(1), output(1)],
        [USER, call(1), output(1), USER, call(AGAIN), {**output(1), "call_id": AGAIN}],
    ),
    "calls of one id at once": (
        [USER, call(1, said=A), call(1, said=B), gave(1, "a"), gave(1, "b"), SAID],
        [USER, call(1, said=A), call(AGAIN, said=B), gave(1, "a"), gave(AGAIN, "b"), SAID],
    ),
    "three of them": (
        [USER, *(call(1, said=x) for x in (A, B, C)), *(gave(1, x) for x in "abc")],
        [
            USER,
            *(call(1, said=A), call(AGAIN, said=B), call(THIRD, said=C)),
            *(gave(1, "a"), gave(AGAIN, "b"), gave(THIRD, "c")),
        ],
    ),
    "three of them, of which one was interrupted": (
        [USER, *(call(1, said=x) for x in (A, B, C)), *(gave(1, x) for x in "ab")],
        [
            USER,
            *(call(1, said=A), call(AGAIN, said=B), call(THIRD, said=C)),
            *(gave(1, "a"), gave(AGAIN, "b"), lost(THIRD)),
        ],
    ),
    "calls of an empty id": (
        [USER, call("", said=A), call("", said=B), gave("", "a"), gave("", "b")],
        [
            USER,
            *(call(NAMELESS, said=A), call(NAMELESS_TOO, said=B)),
            *(gave(NAMELESS, "a"), gave(NAMELESS_TOO, "b")),
        ],
    ),
    "calls without an id": (
        [USER, *(unnamed(call(0, said=x)) for x in (A, B)), *(unnamed(gave(0, x)) for x in "ab")],
        [
            USER,
            *(call(NAMELESS, said=A), call(NAMELESS_TOO, said=B)),
            *(gave(NAMELESS, "a"), gave(NAMELESS_TOO, "b")),
        ],
    ),
    "a call of another id that was interrupted in an earlier turn": (
        [USER, call(1, said=A), USER, call(1, said=B), gave(1, "b")],
        [
            *(USER, call(1, said=A), lost(1)),
            *(USER, call(AGAIN, said=B), gave(AGAIN, "b")),
        ],
    ),
    "an output that came late, of an id that was used again": (
        [USER, call(1, said=A), USER, call(1, said=B), gave(1, "b"), gave(1, "a")],
        [
            *(USER, call(1, said=A), lost(1)),
            *(USER, call(AGAIN, said=B), gave(AGAIN, "b")),
        ],
    ),
    "a call that was made again": ([USER, call(1), call(1), output(1)], [USER, call(1), output(1)]),
    "somebody wrote between call and output": (
        [USER, call(1), USER, output(1), SAID],
        [USER, call(1), output(1), USER, SAID],
    ),
    "a webhook wrote between call and output": (
        [USER, call(1), NOTE, output(1), SAID],
        [USER, call(1), output(1), NOTE, SAID],
    ),
    "two kinds of calls of one name": (
        [USER, call(1), call(1, "custom_tool_call"), output(1), SAID],
        [
            *(USER, call(1), call(AGAIN, "custom_tool_call")),
            *(output(1), lost(AGAIN, "custom_tool_call_output"), SAID),
        ],
    ),
    "reasoning that led nowhere": ([USER, THOUGHT], [USER]),
    "reasoning before the user's next words": ([USER, THOUGHT, USER, SAID], [USER, USER, SAID]),
    "reasoning that led to a call": (
        [USER, THOUGHT, call(1), output(1)],
        [USER, THOUGHT, call(1), output(1)],
    ),
    "reasoning that led to a search": (
        [USER, THOUGHT, SEARCH, SAID],
        [USER, THOUGHT, SEARCH, SAID],
    ),
    "reasoning before an output": ([USER, call(1), THOUGHT, output(1)], [USER, call(1), output(1)]),
    "a search that the provider runs": ([USER, SEARCH, SAID], [USER, SEARCH, SAID]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_shown(case: str) -> None:
    stored, shown = CASES[case]
    before = copy.deepcopy(stored)
    assert repair(stored) == shown
    assert stored == before


@pytest.mark.parametrize(("kind", "answer"), PAIRS)
def test_every_kind_of_call(kind: str, answer: str) -> None:
    whole = [USER, call(1, kind), output(1, answer), SAID]
    assert repair(whole) == whole
    assert repair([USER, output(1, answer), SAID]) == [USER, SAID]
    shown = repair([USER, THOUGHT, call(1, kind), USER, SAID])
    if kind in {"function_call", "custom_tool_call"}:
        made = {"type": answer, "call_id": "1", "output": INTERRUPTED}
        assert shown == [USER, THOUGHT, call(1, kind), made, USER, SAID]
    else:  # no output can be made up for it: the call is left out, and what led to it
        assert shown == [USER, USER, SAID]


@pytest.mark.parametrize("odd", [None, 1, [], {}, ["a"]])
def test_what_is_no_id_counts_as_none(odd: object) -> None:
    strange: list[Item] = [
        {"type": "function_call", "call_id": odd, "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": odd, "output": "x"},
        {"type": odd, "role": odd, "content": "a"},
    ]
    named = [{**item, "call_id": NAMELESS} for item in strange[:2]]
    shown = [USER, *named, strange[2], call(1), SAID, lost(1)]
    assert repair([USER, *strange, call(1), SAID]) == shown


def test_calls_may_be_left_out_instead() -> None:
    stored = [USER, THOUGHT, call(1), call(2), output(2), SAID]
    assert repair(stored, interrupted="leave out") == [USER, THOUGHT, call(2), output(2), SAID]
    assert repair([USER, THOUGHT, call(1)], interrupted="leave out") == [USER]


def test_approvals() -> None:
    request: Item = {"type": "mcp_approval_request", "id": "ap_1", "name": "delete"}
    response: Item = {
        "type": "mcp_approval_response",
        "approval_request_id": "ap_1",
        "approve": True,
    }
    assert repair([USER, request]) == [USER, request]
    assert repair([USER, request, response, SAID]) == [USER, request, response, SAID]
    assert repair([USER, request, USER, SAID]) == [USER, USER, SAID]
    assert repair([USER, response, SAID]) == [USER, SAID]


def test_every_pair_that_the_client_knows_is_known() -> None:
    source = Path(published.__file__).read_text(encoding="utf-8")
    kinds = set(re.findall(r'type: Required\[Literal\["(\w+)"\]\]', source))
    outputs = {kind for kind in kinds if kind.endswith("_call_output")}
    assert outputs <= {answer for _, answer in PAIRS}


names = st.integers(1, 4)
stored_items: st.SearchStrategy[Any] = st.one_of(
    st.just(USER),
    st.just(SAID),
    st.just(NOTE),
    st.just(SEARCH),
    st.just(THOUGHT),
    st.builds(lambda name, pair: call(name, pair[0]), names, st.sampled_from(PAIRS)),
    st.builds(lambda name, pair: output(name, pair[1]), names, st.sampled_from(PAIRS)),
)


@given(st.lists(stored_items, max_size=14))
def test_any_history_is_accepted_once_repaired(history: list[Item]) -> None:
    before = copy.deepcopy(history)
    shown = repair(history)
    accepted(shown)
    assert repair(shown) == shown
    assert history == before
    accepted(repair(history, interrupted="leave out"))
    for start in turn_starts(history):
        window = repair(history[start:])
        accepted(window)
        assert window[0] == USER
        end = shown[len(shown) - len(window) :]
        assert numbered(window) == numbered(end), "a window shows what the whole does"


def numbered(items: list[Item]) -> list[Item]:
    """`items` with numbers for ids: which ids were used before, a window can't know."""
    numbers: dict[str, int] = {}
    return [
        {**item, "call_id": numbers.setdefault(item["call_id"], len(numbers))}
        if "call_id" in item
        else item
        for item in items
    ]


@given(st.lists(stored_items, max_size=14))
def test_nothing_is_made_up_but_the_marks_and_ids(history: list[Item]) -> None:
    for item in repair(history):
        made_up = item.get("output") == INTERRUPTED
        named = {**item, "call_id": None}
        assert (
            made_up
            or any(item is stored for stored in history)
            or named in [{**stored, "call_id": None} for stored in history]
        )
    said = [item for item in history if "role" in item]
    assert [item for item in repair(history) if "role" in item] == said


def test_an_output_without_an_id_finds_its_call_that_has_only_an_item_id() -> None:
    def made(number: int, **named: str) -> Item:
        return {"type": "function_call", "name": "f", "arguments": f'{{"n": {number}}}', **named}

    outputs = [{"type": "function_call_output", "output": f"r{n}"} for n in range(2)]
    first, second = made(0, id="fc_1"), made(1)
    shown = repair([{"role": "user", "content": "q"}, first, second, *outputs])
    assert [item.get("output") for item in shown[3:]] == ["r0", "r1"]
    assert [item["call_id"] for item in shown[1:3]] == [item["call_id"] for item in shown[3:]]
    said = {**outputs[0], "call_id": "fc_1"}
    assert repair([first, said]) == [{**first, "call_id": "fc_1"}, said]
