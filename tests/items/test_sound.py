"""Sound items: what a log may hold and a request may not, in each of the three forms."""

import json

import pytest

from tests.convert.samples import CALL, said, words_of
from tests.providers.anthropic_rules import check_anthropic
from tests.providers.openai_rules import check_chat, check_items
from tests.sample_items import output, user
from turnlog.convert import (
    anthropic_messages,
    chat_messages,
    items_from_chat,
    responses_input,
)
from turnlog.items.json import Item
from turnlog.items.sound import SILENCE, each_sound


@pytest.mark.parametrize("content", ["", " \n", [], None, [{"type": "input_text", "text": ""}]])
def test_silence_of_a_user_is_a_message(content: object) -> None:
    items: list[Item] = [{"role": "user", "content": content}]
    message = {"role": "user", "content": SILENCE}
    assert chat_messages(items) == responses_input(items) == [message]
    block = {"type": "text", "text": SILENCE}
    assert anthropic_messages(items).messages == [{**message, "content": [block]}]


@pytest.mark.parametrize("field", [{}, {"reasoning_content": "Hm."}])
@pytest.mark.parametrize("content", ["", None])
def test_an_answer_without_words_is_kept_and_not_sent(content: object, field: Item) -> None:
    answer = {"role": "assistant", "content": content, **field}
    *_, item = made = items_from_chat([answer], model="deepseek")
    assert (item["type"], "".join(words_of(item))) == ("message", "")
    history = [user("a"), *made, user("b")]
    sent = [user("a"), user("b")]
    assert chat_messages(history, model="deepseek") == responses_input(history) == sent
    [message] = anthropic_messages(history).messages
    assert [block["text"] for block in message["content"]] == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ("{bad", {"arguments": "{bad"}),
        ('{"city": "Os', {"arguments": '{"city": "Os'}),
        ("Oslo, please", {"arguments": "Oslo, please"}),
        ("[1]", {"arguments": [1]}),
        ("null", {"arguments": None}),
        ('"Oslo"', {"arguments": "Oslo"}),
        ('1,"b":2', {"arguments": '1,"b":2'}),
        ("", {}),
        (" ", {}),
        (None, {}),
        ({"a": 1}, {"a": 1}),
        ([1], {"arguments": [1]}),
        ('{"a":1}', {"a": 1}),
        ('{"a":NaN}', {"a": None}),
        ('{"a":1e999}', {"a": None}),
        ('{"a":"\\ud83d"}', {"a": "\ufffd"}),
        ('{"a":"\ud83d"}', {"a": "\ufffd"}),
    ],
)
def test_arguments_that_are_no_object_become_one(arguments: object, given: Item) -> None:
    history = [user("hi"), {**CALL, "arguments": arguments}, output("x")]
    assert anthropic_messages(history).messages[1]["content"][0]["input"] == given
    assert json.loads(responses_input(history)[1]["arguments"]) == given
    [call] = chat_messages(history)[1]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == given


def test_text_that_says_nothing_is_no_block() -> None:
    items = [user("a"), said(" \n"), said("b"), user("")]
    messages = anthropic_messages(items).messages
    check_anthropic(messages)
    assert [[block["text"] for block in message["content"]] for message in messages] == [
        ["a"],
        ["b"],
        [SILENCE],
    ]


def test_an_assistant_that_speaks_first_is_not_the_first() -> None:
    messages = anthropic_messages([said("Hello, I am Bo."), user("Hi")]).messages
    check_anthropic(messages)
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ({**CALL, "name": "files.read"}, {**CALL, "name": "files_read"}),
        ({**CALL, "name": "x" * 70}, {**CALL, "name": "x" * 64}),
        ({**CALL, "name": ""}, {**CALL, "name": "unnamed"}),
        ({**CALL, "name": None}, {**CALL, "name": "unnamed"}),
        (output({"a": "é"}), output('{"a": "é"}')),
        (output(7), output("7")),
        (output(None), output("")),
        (output([]), output("")),
        (output(["a"]), output('["a"]')),
        (output("\ud83d\ude00 \ud83d"), output("\U0001f600 \ufffd")),
        (user("a\ud83d"), user("a\ufffd")),
        ({**user("a"), "\ud83d": float("nan")}, {**user("a"), "\ufffd": None}),
        ({**user("a"), "n": 2**70}, {**user("a"), "n": 2**70}),
    ],
)
def test_what_is_shown_in_its_place(stored: Item, shown: Item) -> None:
    before = repr(stored)
    assert each_sound([user("hi"), stored]) == [user("hi"), shown]
    assert repr(stored) == before


@pytest.mark.parametrize("parts", [["a", {"type": "input_text", "text": ""}], ["a", " ", 7, None]])
def test_parts_that_say_nothing_are_left_out(parts: list[object]) -> None:
    items: list[Item] = [{"role": "user", "content": parts}, said("b")]
    check_items(responses_input(items))
    check_chat(chat_messages(items))
    check_anthropic(anthropic_messages(items).messages)
    assert chat_messages(items)[0]["content"] == [{"type": "text", "text": "a"}]
