"""Digests are those of the SDK, so that its Runner's are recognised."""

from typing import Any

import pytest
from agents.run_internal.items import digest_input_item

from tests.sample_items import answer, call, output, user
from turnlog.items.json import Item
from turnlog.sessions.compaction.digests import digest_of, sendable

SAMPLES: list[Item] = [
    user("Malmö 🙂 \ud83d\ude42"),
    answer("1", id="msg_1", status="completed"),
    answer("1", status=None),
    answer("1", status="incomplete"),
    {"role": "assistant", "content": "text"},
    {**call(), "_agents_tool_title": "T", "_agents_tool_description": "D", "created_by": "x"},
    output([{"type": "input_text", "text": "seen"}]),
    {"type": "compaction", "id": "cmp_1", "encrypted_content": "sealed", "created_by": "x"},
    {"type": "reasoning", "id": "rs_1", "summary": []},
    {},
]


@pytest.mark.parametrize("item", SAMPLES)
@pytest.mark.parametrize("ignore", [False, True])
def test_samples(item: Any, ignore: bool) -> None:
    theirs = digest_input_item(item, ignore_ids_for_matching=ignore)
    assert digest_of(item, ignore_ids=ignore) == theirs


def test_what_does_not_count() -> None:
    one = answer("1", status="completed", created_by="x")
    assert digest_of(one) == digest_of({"role": "assistant", **answer("1")})
    assert digest_of(answer("1", id="a")) != digest_of(answer("1", id="b"))
    assert digest_of(answer("1", id="a"), ignore_ids=True) == digest_of(answer("1"))


def test_an_item_without_a_digest() -> None:
    item: Item = {"type": "message"}
    item["content"] = item
    assert digest_of(item) is None


def test_what_is_sent() -> None:
    assert sendable(SAMPLES[5]) == call()
