"""JSON of items: encoding and decoding, exactly.

An item that is encoded and decoded is equal to the original, key order included; a value that
JSON has no form for is refused before anything is written. `orjson` does the work. Values that
it refuses or changes although JSON allows them (integers beyond 64 bits, lone surrogates) are
left to the standard library, which is slower.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Any, TypeAlias, cast
from uuid import UUID

import orjson

from turnlog.errors import InvalidItem
from turnlog.items import deep_json
from turnlog.items.deep_json import JSON, listing
from turnlog.items.given import given
from turnlog.records import Unopened

__all__ = [
    "JSON",
    "Item",
    "TResponseInputItem",
    "check_listed",
    "copied",
    "decode",
    "decode_all",
    "encode",
    "encode_all",
    "equal",
    "finite",
    "is_object",
    "is_writable",
    "parsed",
    "writable",
]

#: One JSON object of a conversation, in the OpenAI Responses input format.
#: The values are any JSON; naming that type would make every caller narrow it
#: before use, so it stays Any, as in the SDK's own typed dicts.
Item: TypeAlias = dict[str, Any]

#: The same, in the signatures of sessions. The SDK names a union of typed dicts there, to
#: which no dict is assignable: Any is the one type with which a type checker accepts our
#: sessions for the SDK's own without importing it.
TResponseInputItem: TypeAlias = Any

# Without these, orjson would write dates and dataclasses in its own way.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS

#: Levels of nesting that a request may have; clients and providers recurse.
MOST_LEVELS_SENT = 250


def _value_of(value: object) -> object:
    """The plain form of a value that orjson knows and the standard library doesn't."""
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, UUID) else _dump(value)


# orjson writes NaN and the infinities as null; the standard library refuses them.
_FINITE = json.JSONEncoder(allow_nan=False, check_circular=False, default=_value_of)

# orjson reads an integer beyond 64 bits as a float, without an error. A payload
# with this many digits in a row is read by the standard library instead.
_LONG_DIGITS = b"0" * 19
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")


def encode(item: object, path: str = "item") -> bytes:
    """The JSON of one item, UTF-8.

    Takes a dict, a dataclass, or a model object with `model_dump` (such as the
    response types of `openai`). Of a model, the fields that were set are encoded, and those
    defaults that are not None. Raises `InvalidItem`, naming the path inside the item, for
    bytes, sets, dates, NaN, keys that are not strings, more than 1,000 levels of nesting and
    all other values that JSON has no form for.
    """
    try:
        payload = orjson.dumps(item, _dump, _OPTIONS)
    except TypeError:
        payload = deep_json.write(item, path).encode("ascii")
    else:
        if b"null" in payload and not _is_finite(item):
            deep_json.write(item, path)  # it raises an error that names the place
    if not payload.startswith(b"{"):
        cure = 'write {"role": "user", "content": "…"}'
        raise InvalidItem(path, f"an item is a JSON object, not {given(item)}: {cure}")
    return payload


def encode_all(items: Iterable[object]) -> list[bytes]:
    """The JSON of each item; all are checked before the first is returned."""
    check_listed(items)
    return [encode(item, f"items[{index}]") for index, item in enumerate(items)]


def check_listed(items: object) -> None:
    """Raise `InvalidItem`, with a cure, unless it is a list of items, or the like."""
    if type(items) is list:
        return
    is_one = isinstance(items, str | bytes | Mapping | type) or hasattr(items, "model_dump")
    if is_one or isinstance(items, AbstractSet) or not isinstance(items, Iterable):
        raise InvalidItem("items", f"a list of items is needed, not {given(items)}{listing(items)}")


def decode(payload: bytes) -> Item:
    """The item in `payload`. Raises `ValueError` if it is not a JSON object."""
    item = parsed(payload)
    if not isinstance(item, dict):
        raise ValueError(f"a record holds a JSON object, not {given(item)}")  # noqa: TRY004 - the data is wrong, not the call
    return item


def decode_all(payloads: Sequence[bytes]) -> list[Item | None]:
    """The item in each payload, or None where a payload is not a JSON object, or not opened."""
    # orjson takes bytes only, and not `Unopened`, so that these need no look of their own.
    if not _has_long_digits(b"\n".join(payloads)):
        try:
            items = list(map(orjson.loads, payloads))
        except ValueError:
            pass  # each is decoded by itself below, to find out which it was
        else:
            if set(map(type, items)) <= {dict}:
                return items
    return [_decode_or_none(payload) for payload in payloads]


def _decode_or_none(payload: bytes) -> Item | None:
    try:
        return decode(payload)
    except ValueError:
        return None


def _has_long_digits(payload: bytes) -> bool:
    # Of a run of 19 digits, three are next to each other in the sample, which has every sixth
    # byte. Looking there first takes a fifth of the time, and is nearly always enough.
    sample = payload[::6].translate(_DIGITS_TO_ZERO)
    return b"000" in sample and _LONG_DIGITS in payload.translate(_DIGITS_TO_ZERO)


def parsed(payload: bytes) -> JSON:
    """The value in `payload`, exactly. Raises `ValueError` if it is not JSON, or not opened."""
    if isinstance(payload, Unopened):  # what is stored may be JSON, and is not to be trusted
        raise ValueError(payload.problem)  # noqa: TRY004 - the data is wrong, not the call
    if not _has_long_digits(payload):
        try:
            return cast("JSON", orjson.loads(payload))
        except orjson.JSONDecodeError:
            pass  # a lone surrogate, which the standard library reads; or not JSON at all
    try:
        return cast("JSON", json.loads(payload))
    except RecursionError:
        return deep_json.read(payload.decode("utf-8"))


def is_object(text: str) -> bool:
    """Whether `text` is a JSON object for the strictest reader, and not nested too deeply."""
    if len(text) > MOST_LEVELS_SENT and text.count("{") + text.count("[") > MOST_LEVELS_SENT:
        return False
    try:
        return isinstance(orjson.loads(text), dict)
    except ValueError:
        return False


def is_writable(value: object) -> bool:
    """Whether a request can hold `value`: all text is Unicode, all numbers are finite, and it
    is not nested too deeply. It may be False for more than that, never True for less.
    """
    try:
        payload = orjson.dumps(value, None, _OPTIONS)
    except TypeError:
        return False
    return b"null" not in payload or _is_finite(value)


def writable(value: Any) -> Any:  # values of items are Any, as above
    """`value` as a request can hold it.

    A lone surrogate becomes U+FFFD, a number that is not finite becomes null, and an object or
    list that is nested deeper than 250 levels becomes the text "…".
    """
    return deep_json.mapped(value, _writable_scalar, MOST_LEVELS_SENT, "…")


def copied(items: list[Item]) -> list[Item]:
    """A deep copy of `items`, also if they are nested deeper than Python recurses."""
    try:
        return copy.deepcopy(items)
    except RecursionError:
        return [decode(encode(item)) for item in items]


def equal(one: list[Item], other: list[Item]) -> bool:
    """Whether both are equal, also if they are nested deeper than Python recurses."""
    try:
        return one == other
    except RecursionError:
        return encode_all(one) == encode_all(other)


def finite(item: Item) -> Item:
    """`item` with null for every number that is not finite."""
    try:
        is_finite = _is_finite(item)
    except RecursionError:
        is_finite = False  # nested deeply; a copy does no harm
    return item if is_finite else cast("Item", deep_json.mapped(item, _finite_scalar))


def _finite_scalar(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _writable_scalar(value: object) -> object:
    if isinstance(value, str) and not _is_unicode(value):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return _finite_scalar(value)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_finite(value: object) -> bool:
    """Whether no number in `value`, which orjson has written, is NaN or infinite."""
    try:
        _FINITE.encode(value)
    except ValueError:
        return False
    return True


def _dump(value: object) -> object:
    """The plain form of a value that orjson doesn't know."""
    dump = deep_json.dumper(value)
    if dump is None:
        raise TypeError(type(value).__name__)
    return dump()
