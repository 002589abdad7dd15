"""Usage objects of providers and of other libraries."""

from types import SimpleNamespace
from typing import Any

import pytest
from agents.usage import Usage as SDKUsage
from openai.types import CompletionUsage
from openai.types.responses import ResponseUsage

from turnlog import Usage
from turnlog.conversation.usage.reported import counts_in, usage_in

RESPONSES = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 2},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 27,
}
CHAT = {
    "prompt_tokens": 20,
    "prompt_tokens_details": {"cached_tokens": 5, "audio_tokens": 0},
    "completion_tokens": 7,
    "completion_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 27,
}


def _of_the_sdk() -> SDKUsage:
    given = ResponseUsage.model_validate(RESPONSES)
    one = SDKUsage(
        requests=1,
        input_tokens=20,
        output_tokens=7,
        total_tokens=27,
        input_tokens_details=given.input_tokens_details,
        output_tokens_details=given.output_tokens_details,
    )
    both = SDKUsage()
    both.add(one)
    return both


@pytest.mark.parametrize(
    "reported",
    [
        RESPONSES,
        CHAT,
        ResponseUsage.model_validate(RESPONSES),
        CompletionUsage.model_validate(CHAT),
        _of_the_sdk(),
        Usage(20, 7, 5, 3, 1),
        SimpleNamespace(
            input_tokens=13,
            cache_read_input_tokens=5,
            cache_creation_input_tokens=2,
            output_tokens=7,
            reasoning_tokens=3,
        ),
    ],
    ids=["responses", "chat", "openai", "openai chat", "sdk", "ours", "anthropic"],
)
def test_the_same_usage_in_every_form(reported: Any) -> None:
    assert usage_in(reported) == Usage(20, 7, 5, 3, 1)


def test_details_are_kept_as_given() -> None:
    usage = usage_in(ResponseUsage.model_validate(RESPONSES))
    assert usage.input_details is not None
    assert usage.input_details["cache_write_tokens"] == 2
    assert usage.output_details == {"reasoning_tokens": 3}


def test_details_add_up() -> None:
    one = Usage(input_details={"a": 1, "b": {"c": 1}})
    other = Usage(input_details={"a": 2, "b": {"c": 2, "d": 1}}, output_details={"e": 1})
    total = one + other + Usage()
    assert total.input_details == {"a": 3, "b": {"c": 3, "d": 1}}
    assert total.output_details == {"e": 1}


def test_texts_in_details_are_left_out() -> None:
    usage = counts_in({"input_tokens": 1, "input_tokens_details": {"said": "secret", "x": True}})
    assert usage.input_details is None
    assert counts_in({"input_tokens": "secret", "output_tokens": None}) == Usage()
    assert counts_in("secret") == Usage()


def test_nothing_reported_is_nothing_spent() -> None:
    assert usage_in(None) == Usage()
    assert usage_in(SDKUsage()) == Usage()
    assert Usage().is_empty
    assert not Usage(requests=1).is_empty


@pytest.mark.parametrize("wrong", [0, "10", [], {}, {"tokens": 1}], ids=repr)
def test_what_is_no_usage_is_refused(wrong: object) -> None:
    with pytest.raises(TypeError, match=r"such as response\.usage"):
        usage_in(wrong)


@pytest.mark.parametrize("count", ["9", 9.0, True], ids=repr)
@pytest.mark.parametrize("name", ["input_tokens", "completion_tokens", "cached_tokens"])
def test_a_count_that_is_no_int_is_refused(name: str, count: object) -> None:
    with pytest.raises(TypeError, match=f"{name} of a usage must be an int"):
        usage_in({"input_tokens": 1, name: count})


@pytest.mark.parametrize("wrong", [Usage(1, -1), {"output_tokens": -1}], ids=repr)
def test_a_count_below_zero_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="output_tokens of a usage must be at least 0, and is -1"):
        usage_in(wrong)
