"""JSON: items are read exactly as they were written."""

import dataclasses
import datetime as dt
import enum
import json
import math
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.responses import ResponseOutputMessage, ResponseOutputText

from tests.generated_json import ITEMS
from turnlog import InvalidItem
from turnlog.items.json import Item, decode, decode_all, encode, encode_all


@given(ITEMS)
def test_what_goes_in_comes_out(item: Item) -> None:
    back = decode(encode(item))
    assert back == item
    assert json.dumps(back) == json.dumps(item)  # key order, and 1 is not 1.0


@given(st.lists(ITEMS, max_size=4))
def test_many_at_once_come_out_the_same(items: list[Item]) -> None:
    assert decode_all(encode_all(items)) == items


@given(ITEMS)
def test_what_json_itself_wrote_is_read_exactly(item: Item) -> None:
    assert json.dumps(decode(json.dumps(item).encode())) == json.dumps(item)


@pytest.mark.parametrize("digits", range(15, 60))
def test_integers_of_any_length_stay_exact(digits: int) -> None:
    for number in (10**digits - 1, -(10**digits) + 1, 2**63, 2**64, -(2**63) - 1):
        for payload in (encode({"n": number}), json.dumps({"n": number}).encode()):
            assert decode(payload) == {"n": number}
            assert decode_all([b"{}", payload, b"{}"]) == [{}, {"n": number}, {}]


def test_lone_surrogates_round_trip() -> None:
    item = {"content": "half of a pair: \ud83d", "\udc00": 1}
    assert decode(encode(item)) == item
    assert decode_all([encode(item), encode({"a": 1})]) == [item, {"a": 1}]


class _Colour(enum.Enum):
    RED = "red"


class _Level(enum.IntEnum):
    HIGH = 3


@dataclasses.dataclass
class _Message:
    role: str
    content: list[dict[str, str]]


def test_models_and_dataclasses_are_taken_through_their_own_dump() -> None:
    text = ResponseOutputText(text="hi", type="output_text", annotations=[])
    message = ResponseOutputMessage(
        id="msg_1", content=[text], role="assistant", status="completed", type="message"
    )
    assert decode(encode(message)) == message.model_dump(exclude_unset=True)
    assert decode(encode({"inner": message})) == {"inner": message.model_dump(exclude_unset=True)}
    mine = _Message("user", [{"type": "input_text", "text": "hi"}])
    assert decode(encode(mine)) == dataclasses.asdict(mine)
    odd = {"colour": _Colour.RED, "level": _Level.HIGH, "pair": (1, 2), "id": uuid.UUID(int=7)}
    expected = {"colour": "red", "level": 3, "pair": [1, 2], "id": str(uuid.UUID(int=7))}
    assert decode(encode(odd)) == expected
    assert decode(encode({**odd, "big": 2**70})) == {**expected, "big": 2**70}


LOOP: Item = {}
LOOP["self"] = LOOP


@pytest.mark.parametrize(
    ("item", "path", "problem"),
    [
        (
            {"content": [{"text": b"secret"}]},
            "item.content[0].text",
            "bytes; encode it as base64 text",
        ),
        ({"content": {"secret"}}, "item.content", "set; make it a list"),
        ({"content": math.nan}, "item.content", "nan"),
        ({"content": [1, -math.inf]}, "item.content[1]", "-inf"),
        ({"content": 2**80, "text": math.inf}, "item.text", "inf"),
        ({"content": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, "item.content", "isoformat()"),
        ({"content": dt.date(2026, 1, 1)}, "item.content", "isoformat()"),
        ({1: "a"}, "item", "a key is a string"),
        ({"content": {None: 1}}, "item.content", "a key is a string"),
        ({"content": object()}, "item.content", "no form for an object"),
        ({"content": int}, "item.content", "no form for the class int"),
        ({"content": 1 + 2j}, "item.content", "complex"),
        ({"some text that is content": b""}, "item[…]", "bytes"),
        ({"secret": {"text": b""}}, "item[…].text", "bytes"),
        ({"content": [{"alice_smith": b"secret"}]}, "item.content[0][…]", "bytes"),
        ("text", "item", "an item is a JSON object"),
        ([1], "item", "an item is a JSON object"),
        (None, "item", "an item is a JSON object"),
        (2**70, "item", "an item is a JSON object"),
        (LOOP, "item", "nested too deeply"),
    ],
)
def test_what_json_has_no_form_for_is_refused(item: object, path: str, problem: str) -> None:
    with pytest.raises(InvalidItem) as caught:
        encode(item)
    assert caught.value.path == path
    assert problem in str(caught.value)
    assert "secret" not in str(caught.value)
    assert isinstance(caught.value, TypeError)


def test_deep_but_finite_nesting_round_trips() -> None:
    item: Item = {}
    for _ in range(160):
        item = {"inner": [item]} if len(item) % 2 else {"inner": item}
    assert decode(encode(item)) == item


@pytest.mark.parametrize("items", ["text", b"bytes", {"role": "user"}])
def test_a_list_of_items_is_needed(items: object) -> None:
    with pytest.raises(InvalidItem, match="a list of items is needed"):
        encode_all(items)  # type: ignore[arg-type]


def test_the_item_at_fault_is_named() -> None:
    with pytest.raises(InvalidItem) as caught:
        encode_all([{"role": 1}, {"content": {"data": b""}}])
    assert caught.value.path == "items[1].content.data"


@pytest.mark.parametrize("payload", [b"", b"{", b"[1]", b"1", b'"a"', b"null", b"\xff", b"{}{}"])
def test_what_is_no_item_is_skipped(payload: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which one, JSON decides
        decode(payload)
    assert decode_all([b'{"a":1}', payload, b'{"b":2}']) == [{"a": 1}, None, {"b": 2}]
