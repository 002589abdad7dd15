"""The output of the endpoint: what is kept of it, and what is refused."""

from types import SimpleNamespace
from typing import Any

import pytest
from openai.types.responses import CompactedResponse, ResponseUsage

from tests.sample_items import answer, call, output, user
from turnlog.items.json import Item
from turnlog.items.repair import repair
from turnlog.sessions.compaction.output import output_of
from turnlog.sessions.compaction.usage import add_usage, usage_fields

SUMMARY: Item = {"type": "compaction", "id": "cmp_1", "encrypted_content": "sealed"}


def made(*output: Any) -> list[Item]:
    return output_of(SimpleNamespace(output=[*output]))


def message(*parts: Item) -> Item:
    return {"type": "message", "role": "user", "content": [*parts]}


def test_models_of_the_client() -> None:
    """With fields that are not set, and parts that the type of the item does not know."""
    part = {"type": "input_text", "text": "one"}
    answer = CompactedResponse.construct(
        output=[{"type": "message", "role": "user", "content": [part]}, SUMMARY]
    )
    assert output_of(answer) == [message(part), SUMMARY]


def test_ids_of_the_assistant() -> None:
    with_id = answer("1", id="msg_1")
    assert made(with_id, SUMMARY) == [answer("1"), SUMMARY]
    reasoning = {"type": "reasoning", "id": "rs_1", "summary": []}
    assert made(reasoning, with_id, SUMMARY) == [reasoning, with_id, SUMMARY]


@pytest.mark.parametrize(
    ("part", "kept"),
    [
        (
            {"type": "input_image", "image_url": "u", "file_id": None, "detail": "low"},
            {"type": "input_image", "image_url": "u", "detail": "low"},
        ),
        (
            {"type": "input_image", "image_url": None, "file_id": "f", "detail": None},
            {"type": "input_image", "file_id": "f"},
        ),
        (
            {"type": "input_file", "file_data": "", "file_url": "u", "filename": "n"},
            {"type": "input_file", "file_url": "u", "filename": "n"},
        ),
        ({"type": "input_text", "text": ""}, {"type": "input_text", "text": ""}),
    ],
)
def test_parts_of_messages(part: Item, kept: Item) -> None:
    assert made(message(part), SUMMARY) == [message(kept), SUMMARY]


@pytest.mark.parametrize("kind", ["input_image", "input_file"])
def test_a_part_without_a_source(kind: str) -> None:
    with pytest.raises(ValueError, match=f"{kind} without"):
        made(message({"type": kind, "file_id": None, "filename": "n"}))


@pytest.mark.parametrize("output", [None, [], "text", {}, 7])
def test_no_items(output: Any) -> None:
    with pytest.raises(ValueError, match="no items"):
        output_of(SimpleNamespace(output=output))


def test_what_is_no_item() -> None:
    with pytest.raises(ValueError, match="no item"):
        made("text")


def test_a_text_as_content() -> None:
    assert made(user("one"), SUMMARY) == [user("one"), SUMMARY]


def test_usage_that_is_not_reported() -> None:
    run = SimpleNamespace()
    add_usage(None, ResponseUsage.construct(input_tokens=1))
    add_usage(run, ResponseUsage.construct(input_tokens=1))
    assert usage_fields(None) is None
    assert usage_fields("text") is None
    assert usage_fields({"input_tokens": 1}) == {"input_tokens": 1}


@pytest.mark.parametrize(
    "items",
    [
        [{"type": "function_call_output", "call_id": "c", "output": "seen"}],
        [{"type": "reasoning", "id": "rs_1", "summary": []}],
        [user("one"), user("two")],
    ],
    ids=["an output", "a thought", "questions"],
)
def test_what_stands_for_no_answer_is_refused(items: list[Item]) -> None:
    """What the assistant has said would be gone from the view, and in other sessions for good."""
    with pytest.raises(ValueError, match="nothing that stands for the answers"):
        made(*items)


def test_what_can_not_be_sent_again_is_repaired() -> None:
    """The next request, of whichever runner, would be refused."""
    lone = call("look", 1)
    stored = made(user("one"), lone, SUMMARY)
    assert stored[:3] == [user("one"), lone, SUMMARY]
    assert "interrupted" in stored[3]["output"]
    assert made(user("one"), output("seen", 2), SUMMARY) == [user("one"), SUMMARY]
    for items in (stored, made(user("one"), call("a", 3), call("b", 4), SUMMARY)):
        assert repair(items) == items
