"""Items in and out of JSON, exactly.

What goes in comes out equal, key order included; what JSON has no form for is
refused before anything is written. `orjson` does the work. What it refuses or
bends although JSON allows it (integers beyond 64 bits, lone surrogates) takes
the standard library's slower road.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, TypeAlias, cast
from uuid import UUID

import orjson

from turnlog.errors import InvalidItem
from turnlog.field_names import FIELD_NAMES

__all__ = ["Item", "TResponseInputItem", "decode", "decode_all", "encode", "encode_all"]

#: One JSON object of a conversation, in the OpenAI Responses input format.
#: The values are whatever JSON holds; naming that type would make every caller
#: narrow it before use, so it stays Any, as in the SDK's own typed dicts.
Item: TypeAlias = dict[str, Any]

#: The same, where a session hands items out and takes them in. The SDK names a union of
#: typed dicts there, to which no dict is assignable: Any is the one type with which a
#: session passes for the SDK's own without importing it.
TResponseInputItem: TypeAlias = Any

JSON: TypeAlias = bool | int | float | str | list["JSON"] | dict[str, "JSON"] | None

# Without these, orjson would write dates and dataclasses in its own way.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS

# orjson reads an integer beyond 64 bits as a float, without a word. Whatever
# has this many digits in a row is read by the standard library instead.
_LONG_DIGITS = b"0" * 19
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")


def encode(item: object, path: str = "item") -> bytes:
    """The JSON of one item, UTF-8.

    Takes a dict, a dataclass, or a model object with `model_dump` (such as the
    response types of `openai`). Raises `InvalidItem`, naming the path inside
    the item, for bytes, sets, dates, NaN, keys that are not strings and all else
    that JSON has no form for.
    """
    try:
        payload = orjson.dumps(item, _dump, _OPTIONS)
    except TypeError:
        payload = _encode_slowly(item, path)
    else:
        if b"null" in payload:
            _plain(item, path)  # orjson writes NaN and the infinities as null
    if not payload.startswith(b"{"):
        raise InvalidItem(path, f"an item is a JSON object, not {_kind(item)}")
    return payload


def encode_all(items: Iterable[object]) -> list[bytes]:
    """The JSON of each item; all are checked before the first is returned."""
    if isinstance(items, str | bytes | Mapping):
        raise InvalidItem("items", f"a list of items is needed, not {_kind(items)}")
    return [encode(item, f"items[{index}]") for index, item in enumerate(items)]


def decode(payload: bytes) -> Item:
    """The item that `payload` holds. Raises `ValueError` if it holds none."""
    item = _loads(payload)
    if not isinstance(item, dict):
        raise ValueError(f"a record holds a JSON object, not {_kind(item)}")  # noqa: TRY004 - the data is wrong, not the call
    return item


def decode_all(payloads: Sequence[bytes]) -> list[Item | None]:
    """The item that each payload holds, or None where it holds none."""
    if not _has_long_digits(b"\n".join(payloads)):
        try:
            items = list(map(orjson.loads, payloads))
        except ValueError:
            pass  # which of them it was, the slower road finds out
        else:
            if set(map(type, items)) <= {dict}:
                return items
    return [_decode_or_none(payload) for payload in payloads]


def _decode_or_none(payload: bytes) -> Item | None:
    try:
        return decode(payload)
    except (ValueError, RecursionError):
        return None


def _has_long_digits(payload: bytes) -> bool:
    # A run of 19 digits covers three places in a row of every sixth. Looking there first
    # takes a fifth of the time, and mostly settles it.
    sample = payload[::6].translate(_DIGITS_TO_ZERO)
    return b"000" in sample and _LONG_DIGITS in payload.translate(_DIGITS_TO_ZERO)


def _loads(payload: bytes) -> JSON:
    if not _has_long_digits(payload):
        try:
            return cast("JSON", orjson.loads(payload))
        except orjson.JSONDecodeError:
            pass  # a lone surrogate, which the standard library reads; or no JSON at all
    return cast("JSON", json.loads(payload))


def _encode_slowly(item: object, path: str) -> bytes:
    try:
        text = json.dumps(_plain(item, path), separators=(",", ":"))
    except RecursionError:
        raise InvalidItem(path, "is nested too deeply, or holds itself") from None
    return text.encode("ascii")


def _plain(value: object, path: str) -> JSON:
    """`value` in JSON's own types, or `InvalidItem` naming the place where it has none."""
    match value:
        case dict():
            return {_key(k, path): _plain(v, _member(path, k)) for k, v in value.items()}
        case list() | tuple():
            return [_plain(v, f"{path}[{i}]") for i, v in enumerate(value)]
        case None | bool() | int() | float() | str() | Enum() | UUID():
            return _scalar(value, path)
    dump = _dumper(value)
    if dump is None:
        raise InvalidItem(path, f"JSON has no form for {_kind(value)}{_cure(value)}")
    return _plain(dump(), path)


def _scalar(value: float | str | Enum | UUID | None, path: str) -> JSON:
    # Subclasses are taken as what they extend, an enum's member as its value.
    match value:
        case Enum():
            return _plain(value.value, path)
        case str():
            return str.__str__(value)
        case UUID():
            return str(value)
        case float() if not math.isfinite(value):
            raise InvalidItem(path, f"JSON has no form for {value}")
        case _:
            return value


def _key(key: object, path: str) -> str:
    if isinstance(key, str):
        return str.__str__(key)
    raise InvalidItem(path, f"a key is a string in JSON, not {_kind(key)}")


def _member(path: str, key: object) -> str:
    return f"{path}.{key}" if key in FIELD_NAMES else f"{path}[…]"


def _dump(value: object) -> object:
    """What orjson calls for a value that it doesn't know."""
    dump = _dumper(value)
    if dump is None:
        raise TypeError(type(value).__name__)
    return dump()


def _dumper(value: object) -> Callable[[], object] | None:
    """How `value` turns itself into plain data, None if it can't."""
    model_dump = getattr(value, "model_dump", None)
    if callable(model_dump) and not isinstance(value, type):
        # exclude_unset: what the API did not send must not come back to it as null.
        return lambda: model_dump(mode="json", exclude_unset=True)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return lambda: dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return lambda: dict(value)
    return None


def _kind(value: object) -> str:
    return f"an object of type {type(value).__name__}"


def _cure(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return "; encode it as base64 text"
    if isinstance(value, set | frozenset):
        return "; make it a list"
    if hasattr(value, "isoformat"):
        return "; use its isoformat()"
    return ""
