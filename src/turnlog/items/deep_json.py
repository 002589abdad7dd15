"""JSON of any nesting, written and read without recursion.

The fast encoders stop at 254 levels, and recursion stops where the caller's stack ends, which
differs. These loops keep their own stack, so the bound is a fixed number: `MOST_LEVELS`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import sys
from collections.abc import AsyncIterable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from turnlog.errors import InvalidItem
from turnlog.items.field_names import FIELD_NAMES
from turnlog.items.given import given

__all__ = ["JSON", "MOST_LEVELS", "dumper", "listing", "mapped", "read", "write"]

JSON: TypeAlias = bool | int | float | str | list["JSON"] | dict[str, "JSON"] | None

#: How many levels of objects and lists an item may have, itself included. All that is written
#: must be readable: orjson reads 1,023 levels.
MOST_LEVELS = 1000

# Integers of fewer bits have fewer digits than Python writes at most.
_SHORT = 2000

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_WORD = re.compile(r"[^][{}\",: \t\n\r]+")


class _Value(NamedTuple):
    """A value that is still to be written, where it is, and how deep."""

    value: object
    path: str
    level: int


def write(value: object, path: str) -> str:
    """The JSON of `value`, ASCII only; `InvalidItem` names the place that has none."""
    written: list[str] = []
    todo: list[str | _Value] = [_Value(value, path, 1)]
    while todo:
        part = todo.pop()
        if isinstance(part, str):
            written.append(part)
            continue
        if part.level > MOST_LEVELS and not isinstance(part.value, str | float | int | None):
            raise InvalidItem(
                path, f"is nested too deeply (over {MOST_LEVELS} levels), or holds itself"
            )
        todo += reversed(_pieces(part))
    return "".join(written)


def _pieces(part: _Value) -> list[str | _Value]:
    """Text that is written already and values that are not, in order."""
    value, path, level = part
    match value:
        case dict():
            return _members(value, path, level + 1)
        case list() | tuple():
            return _elements(value, path, level + 1)
        case None | bool() | int() | float() | str() | UUID():
            return [_scalar(value, path)]
        case Enum():
            return [_Value(value.value, path, level)]
    dump = dumper(value)
    if dump is None:
        raise InvalidItem(path, f"JSON has no form for {given(value)}{_cure(value)}")
    # A level deeper, so that an object that dumps itself comes to an end.
    return [_Value(dump(), path, level + 1)]


def _members(value: dict[Any, Any], path: str, level: int) -> list[str | _Value]:
    pieces: list[str | _Value] = []
    for key, inner in value.items():
        before = "," if pieces else "{"
        pieces += [f"{before}{_key(key, path)}:", _Value(inner, _member(path, key), level)]
    return [*pieces, "}"] if pieces else ["{}"]


def _elements(value: Sequence[Any], path: str, level: int) -> list[str | _Value]:
    pieces: list[str | _Value] = []
    for number, inner in enumerate(value):
        pieces += ["," if pieces else "[", _Value(inner, f"{path}[{number}]", level)]
    return [*pieces, "]"] if pieces else ["[]"]


def _scalar(value: object, path: str) -> str:
    # Subclasses are written as the class that they extend, an enum's member as its value.
    match value:
        case Enum():
            return _scalar(value.value, path)
        case str():
            return json.dumps(str.__str__(value))
        case UUID():
            return json.dumps(str(value))
        case float() if not math.isfinite(value):
            raise InvalidItem(path, f"JSON has no form for {float(value)}")
        case int() if value.bit_length() > _SHORT:
            return _long(value, path)
    return json.dumps(value)


def _long(value: int, path: str) -> str:
    try:
        return int.__repr__(value)
    except ValueError:  # the bound of sys.set_int_max_str_digits
        problem = "an integer of more digits than Python writes; make it text"
        raise InvalidItem(path, problem) from None


def _key(key: object, path: str) -> str:
    if isinstance(key, str):
        return json.dumps(str.__str__(key))
    raise InvalidItem(path, f"a key is a string in JSON, not {given(key)}")


def _member(path: str, key: object) -> str:
    return f"{path}.{key}" if key in FIELD_NAMES else f"{path}[…]"


def dumper(value: object) -> Callable[[], object] | None:
    """The function that turns `value` into plain data; None if there is none."""
    if hasattr(value, "to_input_item") or hasattr(value, "to_input_list"):
        return None  # it holds an agent as well
    model_dump = getattr(value, "model_dump", None)
    if callable(model_dump) and not isinstance(value, type):
        return lambda: _dumped(model_dump)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return lambda: dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return lambda: dict(value)
    return None


def _dumped(model_dump: Callable[..., object]) -> object:
    """The fields of a model that were set, and the defaults that are not None.

    A field that an API did not send must not be sent back to it as null.
    """
    return _with_defaults(model_dump(mode="json", exclude_unset=True), model_dump(mode="json"))


def _with_defaults(given: object, whole: object) -> object:
    match given, whole:
        case dict(), dict():
            return {
                key: _with_defaults(given[key], value) if key in given else _without_none(value)
                for key, value in whole.items()
                if key in given or value is not None
            }
        case list(), list() if len(given) == len(whole):
            return [_with_defaults(*pair) for pair in zip(given, whole, strict=True)]
    return given


def _without_none(default: object) -> object:
    if isinstance(default, dict):
        return {k: _without_none(v) for k, v in default.items() if v is not None}
    return [*map(_without_none, default)] if isinstance(default, list) else default


def _cure(value: object) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return "; encode it as base64 text"
    if isinstance(value, set | frozenset):
        return "; make it a list"
    if hasattr(value, "isoformat"):
        return "; use its isoformat()"
    if hasattr(value, "to_input_item"):
        return "; a run with a session has stored it, else use its to_input_item()"
    return listing(value)


def listing(value: object) -> str:
    """How to make a list of items of `value`, for the end of an error; "" if it is not known."""
    for kind, cure in _CURES.items():
        if isinstance(value, kind):
            return cure
    for name, cure in _CURES_BY_ATTRIBUTE.items():
        if hasattr(value, name):
            return cure
    return ""


#: What to write instead, by the type of what was given, or by an attribute that it has.
_CURES: dict[type, str] = {
    type(None): ": give [] for nothing",
    str: ': write [{"role": "user", "content": "…"}]',
    AsyncIterable: ": write [item async for item in …]",
    AbstractSet: ": a set has no order, make it a list",
    Mapping: ": write [item] for a single one",
}
_CURES_BY_ATTRIBUTE = {
    "to_input_list": ": a run with a session has stored it, else use its to_input_list()",
    "output": ": use its output",
    "choices": ": use [….choices[0].message]",
    "model_dump": ": write [item] for a single one",
}


def mapped(
    value: JSON,
    leaf: Callable[[Any], Any],
    most_levels: int = sys.maxsize,
    beyond: JSON = None,
) -> JSON:
    """A copy of `value` with `leaf` of each scalar and key.

    beyond: the value in place of an object or list that is nested deeper than `most_levels`.
    """
    top: list[JSON] = [value]
    todo: list[tuple[Any, int]] = [(top, 0)]
    while todo:
        holder, level = todo.pop()
        for place, inner in list(holder.items() if isinstance(holder, dict) else enumerate(holder)):
            if not isinstance(inner, dict | list):
                holder[place] = leaf(inner)
            elif level >= most_levels:
                holder[place] = beyond
            else:
                holder[place] = _copied(inner, leaf)
                todo.append((holder[place], level + 1))
    return top[0]


def _copied(value: dict[str, JSON] | list[JSON], leaf: Callable[[Any], Any]) -> JSON:
    return [*value] if isinstance(value, list) else {leaf(k): v for k, v in value.items()}


def read(text: str) -> JSON:
    """The value in `text`, as `json.loads` reads it. Raises `ValueError` if it is not JSON."""
    return _Reader(text).value()


class _Reader:
    """Reads one value; `_open` holds the objects and lists that have begun and not ended."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._open: list[tuple[Any, str | None]] = []

    def value(self) -> JSON:
        while True:
            value = self._begun()
            if isinstance(value, dict | list) and not self._ends(value):
                self._open.append((value, self._key(value)))
                continue
            while self._open:
                if not self._put(value):
                    break
                value = self._open.pop()[0]
            else:
                self._blank()
                if self._at != len(self._text):
                    raise self._wrong()
                return value

    def _begun(self) -> JSON:
        """A whole scalar, or an object or list that has only begun."""
        self._blank()
        match self._text[self._at : self._at + 1]:
            case "{":
                self._at += 1
                return {}
            case "[":
                self._at += 1
                return []
            case '"':
                return self._string()
        word = _WORD.match(self._text, self._at)
        if word is None:
            raise self._wrong()
        self._at = word.end()
        scalar: JSON = json.loads(word[0])
        return scalar

    def _put(self, value: JSON) -> bool:
        """Put `value` into the innermost open object or list; whether that is complete now."""
        holder, key = self._open[-1]
        if key is None:
            holder.append(value)
        else:
            holder[key] = value
        if self._ends(holder):
            return True
        self._take(",")
        self._open[-1] = holder, self._key(holder)
        return False

    def _ends(self, holder: dict[str, JSON] | list[JSON]) -> bool:
        self._blank()
        end = "}" if isinstance(holder, dict) else "]"
        found = self._text.startswith(end, self._at)
        self._at += found
        return found

    def _key(self, holder: dict[str, JSON] | list[JSON]) -> str | None:
        if isinstance(holder, list):
            return None
        self._blank()
        if not self._text.startswith('"', self._at):
            raise self._wrong()
        key = self._string()
        self._take(":")
        return key

    def _string(self) -> str:
        found = _STRING.match(self._text, self._at)
        if found is None:
            raise self._wrong()
        self._at = found.end()
        return str(json.loads(found[0]))

    def _take(self, sign: str) -> None:
        self._blank()
        if not self._text.startswith(sign, self._at):
            raise self._wrong()
        self._at += 1

    def _blank(self) -> None:
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _wrong(self) -> ValueError:
        return json.JSONDecodeError("no JSON", "", self._at)
