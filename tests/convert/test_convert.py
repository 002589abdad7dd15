"""Conversion of items to other formats and back."""

import copy
import json
import logging
from collections.abc import Callable
from typing import Any

import anthropic.types
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletionMessage

from tests.convert.samples import CALL, said, words_of
from tests.generated_items import PDF, PNG, broken_items, histories, plain_histories, plain_messages
from tests.providers.anthropic_rules import check_anthropic
from tests.providers.openai_rules import check_chat, check_items
from tests.sample_items import output, user
from turnlog.convert import (
    anthropic_messages,
    chat_messages,
    items_from_anthropic,
    items_from_chat,
    responses_input,
)
from turnlog.convert.shapes import NOT_SHOWN, _log_once, portable_id
from turnlog.items.json import Item

# Properties


@given(plain_histories())
def test_items_come_back_from_chat_as_they_went(items: list[Item]) -> None:
    assert items_from_chat(chat_messages(items)) == items


@given(plain_messages())
def test_messages_come_back_from_items_as_they_went(messages: list[Item]) -> None:
    check_chat(messages)
    assert chat_messages(items_from_chat(messages)) == messages


@given(histories())
def test_every_history_is_one_that_chat_takes(items: list[Item]) -> None:
    before = copy.deepcopy(items)
    messages = chat_messages(items, instructions="Be brief.", model="gpt-5")
    check_chat(messages)
    assert items == before
    assert messages[0] == {"role": "system", "content": "Be brief."}
    heard = "".join(words_of(messages))
    for item in items:
        if item.get("type", "message") == "message" or "output" in item:
            for word in words_of(item):
                assert word in heard
    uses = [call["id"] for message in messages for call in message.get("tool_calls", ())]
    assert uses == [portable_id(item["call_id"]) for item in items if "name" in item]


@given(histories())
def test_every_history_is_one_that_responses_takes(items: list[Item]) -> None:
    before = copy.deepcopy(items)
    sent = responses_input(items)
    check_items(sent)
    assert items == before
    assert responses_input(sent) == sent
    assert words_of(sent) == words_of(items)
    assert len(sent) == len(items)
    check_items(responses_input(items, reasoning=False))


@given(histories())
def test_every_history_is_one_that_anthropic_takes(items: list[Item]) -> None:
    before = copy.deepcopy(items)
    system, messages = anthropic_messages(items, instructions="Be brief.")
    check_anthropic(messages)
    assert items == before
    assert system.startswith("Be brief.")
    heard = "".join([system, *words_of(messages), str(messages)])
    for item in items:
        if item.get("type", "message") == "message":
            assert all(word in heard for word in words_of(item))
    uses = [b["id"] for m in messages for b in m["content"] if b["type"] == "tool_use"]
    assert uses == [portable_id(item["call_id"]) for item in items if "name" in item]


@given(st.lists(broken_items, max_size=5))
def test_no_item_makes_a_conversion_fail(items: list[Item]) -> None:
    """A log may hold anything that is JSON; what is wrong with it is the provider's to say."""
    for made in (
        chat_messages(items, model="gemini"),
        responses_input(items),
        anthropic_messages(items).messages,
    ):
        json.dumps(made)


# Chat


def test_text_and_calls_beside_it_are_one_message() -> None:
    second = {**CALL, "call_id": "call_2"}
    items = [user("hi"), said("One moment."), CALL, second, output("a"), output("b", 2)]
    _, message, *outputs = chat_messages(items)
    assert message["content"] == "One moment."
    assert [call["id"] for call in message["tool_calls"]] == ["call_1", "call_2"]
    assert [out["tool_call_id"] for out in outputs] == ["call_1", "call_2"]


def test_what_is_said_behind_a_call_joins_it() -> None:
    items = [user("hi"), said("First."), CALL, said("Second."), output("a"), said("Third.")]
    messages = chat_messages(items)
    check_chat(messages)
    assert [message["content"] for message in messages] == [
        "hi",
        "First.\n\nSecond.",
        "a",
        "Third.",
    ]


def test_two_answers_in_a_row_stay_two() -> None:
    assert [m["content"] for m in chat_messages([user("hi"), said("a"), said("b")])] == [
        "hi",
        "a",
        "b",
    ]


def test_a_picture_from_a_tool_is_shown_behind_the_outputs() -> None:
    parts = [{"type": "input_image", "image_url": PNG, "detail": "auto"}]
    second = {**CALL, "call_id": "call_2"}
    text = [{"type": "input_text", "text": "b"}]
    messages = chat_messages([CALL, second, output(parts), output(text, 2), said("Nice.")])
    assert [message["role"] for message in messages] == [
        "assistant",
        "tool",
        "tool",
        "user",
        "assistant",
    ]
    assert messages[1]["content"] == "The output is shown below."
    assert messages[2]["content"] == "b"
    assert messages[3]["content"] == [
        {"type": "text", "text": "Output of the tool call call_1:"},
        {"type": "image_url", "image_url": {"url": PNG}},
    ]


def test_what_chat_cannot_hold_is_left_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    _log_once.cache_clear()
    search = {"type": "web_search_call", "id": "ws_1", "action": {"query": "a secret"}}
    odd = {"type": "A secret.", "content": "a secret"}
    items = [user("hi"), search, search, odd, said("a")]
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert len(chat_messages(items)) == 2
    assert [record.getMessage() for record in caplog.records] == [
        "Chat Completions can't express 'web_search_call': it is left out there, and stays stored",
        "Chat Completions can't express 'unknown': it is left out there, and stays stored",
    ]


def test_parts_that_only_their_provider_can_reach_are_left_out() -> None:
    parts = [{"type": "input_image", "file_id": "file-1"}, {"type": "input_text", "text": "this"}]
    [message] = chat_messages([{"role": "user", "content": parts}])
    assert message["content"] == [{"type": "text", "text": "this"}]
    alone: list[Item] = [{"role": "user", "content": parts[:1]}, said("Nice.")]
    hidden = {"type": "text", "text": NOT_SHOWN}
    assert chat_messages(alone)[0] == {"role": "user", "content": NOT_SHOWN}
    assert anthropic_messages(alone).messages[0] == {"role": "user", "content": [hidden]}


@pytest.mark.parametrize("broken", [None, {}, {"url": None}, 7])
def test_a_picture_without_an_address_is_left_out(broken: Any) -> None:
    parts = [{"type": "image_url", "image_url": broken}, {"type": "text", "text": "this"}]
    [message] = chat_messages([{"role": "user", "content": parts}])
    assert message["content"] == [{"type": "text", "text": "this"}]


def test_short_forms_and_chats_own_parts_are_understood() -> None:
    short = [{"type": "image_url", "image_url": PNG}]
    [message] = chat_messages([{"role": "user", "content": short}])
    assert message["content"] == [{"type": "image_url", "image_url": {"url": PNG}}]
    own: Item = {"type": "image_url", "image_url": {"url": PNG}}
    items: list[Item] = [
        {"role": "user", "content": [own]},
        {"role": "assistant", "content": "Nice."},
    ]
    assert chat_messages(items) == items
    part = {"type": "input_image", "image_url": PNG, "detail": "auto"}
    assert responses_input(items)[0]["content"] == [part]


def test_a_message_of_a_role_that_nobody_knows_is_left_out() -> None:
    odd = {"role": "narrator", "content": "x"}
    assert chat_messages([odd]) == []
    assert items_from_chat([odd]) == []
    assert anthropic_messages([odd]).messages == []


def test_what_a_completion_says_beside_its_text_is_kept() -> None:
    cited = {"url": "https://a.b", "title": "A", "start_index": 0, "end_index": 1}
    annotations = [{"type": "url_citation", "url_citation": cited}]
    [item] = items_from_chat([{"role": "assistant", "content": "x", "annotations": annotations}])
    assert item["content"][0]["annotations"] == [{"type": "url_citation", **cited}]
    audio = {"id": "a", "data": "AAAA", "transcript": "Hello."}
    [item] = items_from_chat([{"role": "assistant", "content": None, "audio": audio}])
    assert item["content"][0]["text"] == "Hello."


def test_reasoning_goes_back_only_in_front_of_its_own_calls() -> None:
    data = {"model": "deepseek", "reasoning_field": "reasoning_content"}
    summary = [{"type": "summary_text", "text": "Hm."}]
    thought = {"type": "reasoning", "summary": summary, "provider_data": data}

    def thoughts(*items: Item) -> list[object]:
        messages = chat_messages(items, model="deepseek")
        return [message.get("reasoning_content") for message in messages]

    assert thoughts(user("a"), thought, CALL, output("x")) == [None, "Hm.", None]
    assert thoughts(user("a"), thought, said("b")) == [None, None]
    system = {"role": "system", "content": "c"}
    assert thoughts(user("a"), thought, system, CALL, output("x")) == [None] * 4
    own = {"type": "reasoning", "summary": summary}
    assert thoughts(user("a"), own, CALL, output("x")) == [None] * 3
    shown = [{"type": "reasoning_text", "text": "All of it."}]
    longer = {**thought, "summary": [], "content": shown}
    assert thoughts(user("a"), longer, CALL, output("x")) == [None, "All of it.", None]


def test_ids_that_chat_leaves_empty_are_found_by_their_place() -> None:
    called = [
        {"id": given, "type": "function", "function": {"name": name, "arguments": "{}"}}
        for given, name in (("", "a"), (None, "b"), ("1", "c"))
    ]
    custom = {"id": "1", "type": "custom", "custom": {"name": "d", "input": "x"}}
    outputs = [
        {"role": "tool", "tool_call_id": given, "content": content}
        for given, content in (("", "ra"), (None, "rb"), ("1", "rc"), ("1", "rd"), ("9", "?"))
    ]
    message = {"role": "assistant", "content": None, "tool_calls": [*called, custom]}
    made = items_from_chat([message, *outputs])
    calls, given = made[:4], made[4:]
    assert [output["call_id"] for output in given[:4]] == [call["call_id"] for call in calls]
    assert len({call["call_id"] for call in calls}) == 3
    assert given[3]["type"] == "custom_tool_call_output"
    assert given[4] == {**output("?"), "call_id": "9"}
    shown = chat_messages([user("hi"), *made])
    check_chat(shown)
    names = [call.get("function", call.get("custom"))["name"] for call in shown[1]["tool_calls"]]
    assert (names, [tool["content"] for tool in shown[2:]]) == (
        ["a", "b", "c", "d"],
        ["ra", "rb", "rc", "rd"],
    )


def test_a_call_without_a_name_gets_one() -> None:
    call = {"id": "", "type": "function", "function": {"name": "look", "arguments": ""}}
    message = {"role": "assistant", "content": None, "tool_calls": [call, call]}
    made = items_from_chat([message])
    assert len({item["call_id"] for item in made}) == 2
    assert {item["arguments"] for item in made} == {"{}"}
    [first, _] = items_from_chat([message], new_id=lambda: "mine")
    assert first["call_id"] == "mine"


# Anthropic


def test_a_conversation_as_anthropic_has_it() -> None:
    image = {"type": "input_image", "image_url": PNG}
    linked = {"type": "input_image", "image_url": "https://a.b/c.png"}
    file = {"type": "input_file", "file_data": PDF, "filename": "a.pdf"}
    items: list[Item] = [
        {"role": "developer", "content": "Speak French."},
        {"role": "user", "content": [image, linked, file]},
        {**CALL, "arguments": '{"at":"it"}'},
        output("a dog"),
        user("And?"),
    ]
    system, messages = anthropic_messages(items, instructions="Be brief.")
    assert system == "Be brief.\n\nSpeak French."
    check_anthropic(messages)
    assert [block["source"] for block in messages[0]["content"]] == [
        {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
        {"type": "url", "url": "https://a.b/c.png"},
        {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ="},
    ]
    assert messages[0]["content"][2]["title"] == "a.pdf"
    assert messages[1]["content"][0]["input"] == {"at": "it"}
    assert [block["type"] for block in messages[2]["content"]] == ["tool_result", "text"]


def test_what_anthropic_answers_becomes_items_and_goes_back() -> None:
    thinking = [
        {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
        {"type": "redacted_thinking", "data": "x"},
    ]
    use = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "ü"}}
    blocks: list[Item] = [
        *thinking,
        {"type": "text", "text": "I look."},
        use,
        {"type": "server_tool_use"},
    ]
    items = items_from_anthropic(blocks)
    assert [item["type"] for item in items] == ["reasoning", "message", "function_call"]
    assert items[2]["arguments"] == '{"at": "ü"}'
    history = [user("hi"), *items, {**output("a dog"), "call_id": "toolu_1"}]
    messages = anthropic_messages(history).messages
    assert messages[1]["content"] == blocks[:4]
    check_anthropic(messages)
    check_items(responses_input(history))
    check_chat(chat_messages(history))


def test_objects_of_a_client_are_taken_as_they_are() -> None:
    text: Item = {"type": "text", "text": "Hi."}
    use: Item = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "ü"}}
    content = [anthropic.types.TextBlock(**text), anthropic.types.ToolUseBlock(**use)]
    assert items_from_anthropic(content) == items_from_anthropic([text, use])
    call = {"id": "1", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    message: Item = {"role": "assistant", "content": "Hi.", "tool_calls": [call]}
    given = ChatCompletionMessage.model_validate(message)
    assert items_from_chat([given]) == items_from_chat([message])


@pytest.mark.parametrize("convert", [items_from_chat, items_from_anthropic])
def test_what_is_neither_a_dict_nor_an_object_of_a_client_is_refused(
    convert: Callable[[list[object]], object],
) -> None:
    with pytest.raises(TypeError, match=r"must be dicts or objects of the client's, not str"):
        convert(["Hi."])


def test_results_come_before_what_was_said_meanwhile() -> None:
    messages = anthropic_messages([user("a"), CALL, user("hurry"), output("x")]).messages
    assert [block["type"] for block in messages[2]["content"]] == ["tool_result", "text"]
    check_anthropic(messages)


# Responses


def test_reasoning_goes_only_as_it_was_encrypted() -> None:
    sealed: Item = {
        "type": "reasoning",
        "id": "rs_1",
        "encrypted_content": "x",
        "content": [],
        "status": None,
    }
    plain = {"type": "reasoning", "id": "rs_2", "summary": [{"type": "summary_text", "text": "y"}]}
    assert responses_input([sealed, said("a"), plain, said("b")])[0] == {
        "type": "reasoning",
        "encrypted_content": "x",
        "summary": [],
    }
    assert len(responses_input([sealed, said("a"), plain, said("b")])) == 3
    assert responses_input([sealed], reasoning=False) == []


def test_an_assistants_parts_are_of_the_kind_that_it_says() -> None:
    message = {"role": "assistant", "content": [{"type": "text", "text": "a"}], "id": "x"}
    [sent] = responses_input([message])
    assert sent["content"] == [{"annotations": [], "type": "output_text", "text": "a"}]
    check_items([sent])


def test_a_reference_stays_one_in_either_form() -> None:
    references: list[Item] = [{"id": "msg_1"}, {"type": "item_reference", "id": "msg_2"}]
    assert responses_input(references) == references
    assert chat_messages(references) == []


def test_names_of_calls_are_ones_that_all_take() -> None:
    assert portable_id("call_1") == "call_1"
    assert portable_id("x" * 65) == portable_id("x" * 65) != portable_id("x" * 66)
    assert len(portable_id("\ud800")) == len("call_") + 24
