"""Explanations of a view: what is done with each stored record, and the reason in words."""

from random import Random
from typing import Any

import pytest

from tests.conversation.reading.test_views import bounds
from tests.conversation.reading.turns import first, turn, turns
from tests.random_histories import history
from tests.sample_items import answer, call, output, user
from tests.sizes import HISTORIES
from turnlog import (
    Explanation,
    LeftOut,
    Log,
    Runner,
    SessionSettings,
    Shown,
    SQLiteSession,
    StoredSession,
    sync,
)
from turnlog.agents import Agent
from turnlog.items import Item
from turnlog.items.json import encode_all
from turnlog.items.repair import INTERRUPTED, Interrupted
from turnlog.items.sound import SILENCE
from turnlog.items.tokens import estimated_tokens
from turnlog.stores.memory import MemoryStore
from turnlog.testing.counting import Counting

pytestmark = pytest.mark.anyio

THOUGHT: Item = {"type": "reasoning", "id": "rs_1", "summary": []}
REQUEST: Item = {"type": "mcp_approval_request", "id": "ap_1", "name": "pay", "arguments": "{}"}
RESPONSE: Item = {"type": "mcp_approval_response", "approval_request_id": "ap_1", "approve": True}


async def explained(items: list[Item], **settings: Any) -> Explanation:
    session = StoredSession("s", MemoryStore())
    await session.add_items(items)
    return await session.explain(settings)


def outside(explanation: Explanation) -> dict[int, str]:
    return {each.position: each.why for each in explanation.left_out}


async def test_what_needs_no_change_is_kept() -> None:
    items = [*turn(0, 2), REQUEST, RESPONSE, answer("paid")]
    shown = [Shown(item, at, "kept", "") for at, item in enumerate(items, start=1)]
    assert await explained(items) == Explanation(shown, [])
    assert await explained([]) == Explanation([], [])


@pytest.mark.parametrize(
    ("settings", "positions", "word"),
    [
        ({"max_turns": 2}, 4, "max_turns is 2"),
        ({"max_turns": 0}, 8, "max_turns is 0"),
        ({"limit": 3}, 6, "limit is 3 (items)"),
        ({"max_tokens": 30, "token_counter": lambda _: 10}, 6, "max_tokens is 30"),
    ],
)
async def test_each_bound_is_named(settings: Any, positions: int, word: str) -> None:
    why = outside(await explained([item for n in range(4) for item in turn(n)], **settings))
    assert list(why) == list(range(1, positions + 1))
    assert all(word in each for each in why.values())


async def test_the_bound_that_excludes_is_named_where_there_are_several() -> None:
    items = [item for number in range(9) for item in turn(number)]
    why = outside(await explained(items, max_turns=7, limit=9, step=3))
    assert ["max_turns" in why[position] for position in range(1, 5)] == [True] * 4
    assert ["limit" in why[position] for position in range(5, 11)] == [True] * 6
    assert ["every 3 turns after it (step)" in why[position] for position in range(11, 13)] == [
        True
    ] * 2
    assert list(why) == list(range(1, 13))


async def test_what_comes_before_the_first_question() -> None:
    [why] = outside(await explained([answer("hello"), *turn(1)], max_turns=5)).items()
    assert why == (1, "A window begins with a user's message; this comes before the first.")


async def test_calls_and_outputs_that_are_left_out() -> None:
    shell = {"type": "shell_call", "call_id": "s", "action": {}}
    items = [
        *(user("q"), output(number=7), REQUEST, THOUGHT),
        *(user("r"), call(), call(), output()),
        *(call(number=2), output(number=2), output(number=2), shell),
    ]
    assert outside(await explained(items)) == {
        2: "An output without its call.",
        3: "The user went on without an answer to this request for approval.",
        4: "Reasoning without the message or call that it led to.",
        7: "Another attempt of the same call is shown.",
        11: "The newest calls of this id have their outputs already.",
        12: "A call without output, of a kind for which none can be made up.",
    }


async def test_a_request_that_was_answered_twice() -> None:
    assert outside(await explained([user("q"), REQUEST, RESPONSE, RESPONSE])) == {
        4: "The request for approval has another answer."
    }


async def test_an_answer_without_its_request() -> None:
    assert outside(await explained([user("q"), RESPONSE])) == {
        2: "An answer without its request for approval."
    }


async def test_a_call_without_output() -> None:
    session = StoredSession("s", MemoryStore())
    await session.add_items([user("q"), call(), user("r")])
    made = (await session.explain()).shown[2]
    assert made == Shown(
        {**output(), "output": INTERRUPTED},
        None,
        "made up",
        "The output of this call was never stored; this one says so.",
    )
    left = await session.explain(interrupted="leave out")
    assert left.left_out == [LeftOut(2, "A call that has no output yet.")]


async def test_an_output_that_came_late_is_moved() -> None:
    shown = (await explained([user("q"), call(), user("r"), output(), answer("a")])).shown
    assert [(each.position, each.did) for each in shown] == [
        (1, "kept"),
        (2, "kept"),
        (4, "moved"),
        (3, "kept"),
        (5, "kept"),
    ]
    assert shown[2].why == "Providers want an output right behind the calls of its group."


@pytest.mark.parametrize(
    ("stored", "field", "why"),
    [
        ({**call(number=2), "arguments": "{"}, "arguments", "Its arguments are not a JSON object."),
        ({**call(number=2), "name": "a b"}, "name", "The name of the tool is missing, too long"),
        (
            {**call(), "arguments": '{"a": 1}'},
            "call_id",
            "Its call id is missing, or an earlier call",
        ),
        ({**user(""), "id": "m"}, "content", "A user's message without text is shown with"),
        (
            answer("a\ud83d"),
            "content",
            "It holds half a surrogate pair, a number that is not finite",
        ),
    ],
)
async def test_changes_name_their_reason(stored: Item, field: str, why: str) -> None:
    shown = (await explained([user("q"), call(), output(), stored])).shown[3]
    assert (shown.position, shown.did) == (4, "changed")
    assert shown.item[field] != stored[field]
    assert shown.why.startswith(why)


async def test_an_output_follows_its_call_to_a_new_id() -> None:
    again = {**call(), "arguments": '{"a": 1}'}
    shown = (await explained([user("q"), call(), output(), again, output()])).shown
    assert [each.why for each in shown[3:]] == [
        "Its call id is missing, or an earlier call has the same.",
        "It has the id with which its call is shown.",
    ]


async def test_outputs_and_parts_that_are_changed() -> None:
    parts = {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text"}]}
    custom = {"type": "custom_tool_call", "call_id": "c2", "name": "run", "input": 7}
    items = [parts, call(), custom, {**output(), "output": 7}]
    shown = (await explained(items)).shown
    assert [(each.did, each.why) for each in shown if each.did == "changed"] == [
        (
            "changed",
            "Parts of a message without text are left out; the others have a type and a text.",
        ),
        ("changed", "Its input is not text."),
        ("changed", "Its output is neither text nor a list of parts."),
    ]


async def test_messages_without_text() -> None:
    explanation = await explained([user(""), answer("")])
    assert explanation.shown[0].item == user(SILENCE)
    assert explanation.left_out == [LeftOut(2, "Providers refuse a message without text.")]


async def test_records_that_cannot_be_decoded(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    session = StoredSession("s", store)
    for number in range(3):
        await store.append(Log("s"), [b"not JSON"])
        await session.add_items(turn(number))
    explanation = await session.explain({"max_turns": 1})
    lost = {at: why for at, why in outside(explanation).items() if "decoded" in why}
    assert lost == dict.fromkeys([1, 4, 7], "It can't be decoded.")
    assert [each.position for each in explanation.shown] == [8, 9]
    assert session.unreadable == {1, 4, 7}
    assert "not JSON" not in caplog.text


async def test_an_explanation_writes_nothing_and_follows_the_milestones() -> None:
    store = MemoryStore()
    settings = SessionSettings(max_turns=6, step=3)
    session = StoredSession("s", store, session_settings=settings)
    for number in range(80):
        await Runner.run(Agent("A"), f"q{number}", session=session)
    # Now the view and the explanation agree only if both count from the milestones.
    await store.remove(Log("s"), before=3)
    before = await store.logs("s")
    explanation = await session.explain()
    assert await store.logs("s") == before
    assert [each.item for each in explanation.shown] == await session.view()
    assert first([each.item for each in explanation.shown]) == 75


async def test_a_class_that_changes_its_items_is_not_explained() -> None:
    class Filtering(SQLiteSession):
        async def get_items(self, limit: int | None = None) -> list[Item]:
            return (await super().get_items(limit))[1:]

    with pytest.raises(TypeError, match="Filtering overrides get_items"):
        await Filtering("s").explain()


def test_a_blocking_session_is_explained() -> None:
    twin = sync.SQLiteSession(session_id="s")
    twin.add_items([user("q")])
    explanation = sync.run(twin.session.explain)
    assert explanation.shown == [Shown(user("q"), 1, "kept", "")]


async def test_no_more_is_read_for_a_view_than_before() -> None:
    store = Counting(MemoryStore())
    session = StoredSession("s", store)
    await store.append(Log("s"), encode_all(turns(100)))
    await session.view(10)
    assert store.records == 10
    await session.explain({"limit": 10})
    # Each record once, and the one at which the second read follows on the first.
    assert store.records == 10 + len(turns(100)) + 1


@pytest.mark.proof
async def test_every_record_of_every_history_is_accounted_for() -> None:
    rng = Random(2)
    store = MemoryStore()
    for seed in range(HISTORIES):
        session = StoredSession(f"s{seed}", store)
        items = history(seed)
        await session.add_items(items)
        stored = await store.read(Log(f"s{seed}"))
        settings = rng.choice(list(bounds(items, estimated_tokens)))
        interrupted: Interrupted = rng.choice(["mark", "leave out"])
        explanation = await session.explain(settings, interrupted=interrupted)
        view = await session.view(settings=settings, interrupted=interrupted)
        accounted_for(explanation, dict(zip(stored.positions, items, strict=True)), view)


def accounted_for(explanation: Explanation, stored: dict[int, Item], view: list[Item]) -> None:
    """Fail unless all that is shown or left out is told once, and truly."""
    shown = explanation.shown
    assert [each.item for each in shown] == view
    positions = [each.position for each in shown if each.position is not None]
    left = [each.position for each in explanation.left_out]
    assert sorted([*positions, *left]) == sorted(stored), "each position once"
    assert left == sorted(left)
    assert all(each.why for each in explanation.left_out)
    for each in shown:
        assert (each.did == "made up") == (each.position is None)
        assert (each.did == "kept") == (each.why == "")
        if each.position is not None:
            assert (each.did == "changed") == (each.item != stored[each.position])
    kept = [each.position for each in shown if each.did == "kept"]
    assert kept == sorted(kept, key=lambda position: position or 0)
