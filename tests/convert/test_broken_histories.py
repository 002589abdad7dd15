"""Broken histories: every form of a request is accepted by the strictest provider."""

import copy
import math
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tests.generated_items import broken_items, histories
from tests.providers.anthropic_rules import check_anthropic
from tests.providers.openai_rules import check_chat, check_items
from tests.providers.strict_rules import check_sendable
from tests.providers.view_rules import accepted
from turnlog.convert import anthropic_messages, chat_messages, responses_input
from turnlog.items.json import Item
from turnlog.items.repair import repair

HALF = "half of a pair: \ud83d"


def deep(levels: int) -> object:
    value: object = "end"
    for _ in range(levels):
        value = [value]
    return value


ids = st.sampled_from(["", None, "1", "2", "a b!", "x" * 70, HALF, 7, ["1"]])
names = st.sampled_from(["look", "", None, "a.b", "x" * 70, HALF, 7])
texts = st.sampled_from(["hi", "", " ", HALF, None, 7, "\x00"])
oddities: st.SearchStrategy[Any] = st.sampled_from(
    [math.nan, -math.inf, 2**80, deep(300), {HALF: [math.inf]}, None]
)
arguments = st.sampled_from(
    ["{}", '{"city": "Os', "[1]", "Oslo", "", None, 7, {"a": math.nan}, '{"a": NaN}', "[" * 300,
     '{"a":' * 300 + "1" + "}" * 300, '{"a":"\\ud83d"}', HALF, "1" * 5000]
)  # fmt: skip
parts = st.lists(
    st.one_of(
        st.builds(
            lambda kind, text: {"type": kind, "text": text},
            st.sampled_from(["input_text", "output_text", "text", "refusal", "video", None]),
            texts,
        ),
        st.just({"type": "input_image", "image_url": "https://a.b/c.png", "detail": "auto"}),
        st.just({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}),
        st.just({"type": "input_image", "file_id": "file-1", "detail": "auto"}),
        st.just("hi"),
    ),
    max_size=3,
)
contents = st.one_of(texts, parts, oddities)


def shaped(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Item]:
    return st.fixed_dictionaries({"type": st.just(kind)}, optional=fields)


messages = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["user", "user", "assistant", "assistant", "system", "developer", "x", None]),
    contents,
)
broken_calls = st.one_of(
    shaped("function_call", call_id=ids, name=names, arguments=arguments),
    shaped("custom_tool_call", call_id=ids, name=names, input=contents),
    shaped("function_call_output", call_id=ids, output=contents),
    shaped("custom_tool_call_output", call_id=ids, output=contents),
)
thoughts = shaped(
    "reasoning",
    encrypted_content=st.sampled_from(["sealed", None, 7]),
    summary=contents,
    provider_data=st.just({"model": "m", "reasoning_field": "reasoning"}),
)
broken = st.lists(st.one_of(messages, broken_calls, thoughts), max_size=10)

CALLED: list[Item] = [
    {"role": "user", "content": "hi"},
    {"type": "function_call", "call_id": "0", "name": "look", "arguments": '{"city": "Os'},
    {"type": "function_call", "call_id": "0", "name": "look", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "0", "output": "a"},
    {"type": "function_call_output", "call_id": "0", "output": "b"},
]


@given(broken)
@example([*CALLED, *CALLED])
@example([{"role": "user", "content": HALF}, {"role": "assistant", "content": ""}])
def test_every_form_of_every_history_is_taken(history: list[Item]) -> None:
    before = repr(history)
    check_items(responses_input(history))
    check_items(responses_input(history, reasoning=False))
    check_chat(chat_messages(history, model="m"), {"reasoning"})
    check_anthropic(anthropic_messages(history).messages)
    assert repr(history) == before


@given(broken)
def test_a_view_of_it_is_sendable_and_stays_as_it_is(history: list[Item]) -> None:
    view = repair(history)
    check_sendable(view)
    accepted(view)
    assert repair(view) == view
    said = [item for item in history if item.get("role") == "user"]
    assert sum(item.get("role") == "user" for item in view) == len(said)


@given(st.lists(broken_items, max_size=5))
def test_scraps_are_sendable(items: list[Item]) -> None:
    check_sendable(chat_messages(items, model="gemini"))
    check_sendable(responses_input(items))
    check_anthropic(anthropic_messages(items).messages)


@given(histories())
def test_what_is_whole_is_shown_as_the_objects_that_are_stored(items: list[Item]) -> None:
    before = copy.deepcopy(items)
    assert all(shown is item for shown, item in zip(repair(items), items, strict=True))
    assert items == before
