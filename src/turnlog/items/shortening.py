"""Shortening: old outputs of tools are shown as a marker that says how to get the original.

Which outputs are old follows from the number of turns alone: the boundary moves once in `step`
turns, as a window's does. So the beginning of what a model is shown stays the same in between, and
a provider's prompt cache stays valid; everyone who looks at the conversation sees the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from turnlog.items.given import check_int
from turnlog.items.json import Item
from turnlog.items.kinds import is_output, kind_of
from turnlog.items.pairing import pairs_in
from turnlog.items.turns import turn_starts

__all__ = ["RECALL", "Shorten", "Shortened", "shortened"]

#: The name of the tool that gets an original; see `turnlog.agents.recalling`.
RECALL = "recall"

#: Outputs whose form is free, so that a text can take their place.
_TEXTUAL = {"function_call_output", "custom_tool_call_output"}


_SUPERSEDED = "A later call of the same tool had the same arguments (shorten)."


@dataclass(frozen=True)
class Shorten:
    """Show old outputs of tools as markers. The records stay as they are.

    keep: outputs of the newest `keep` turns are shown in full.
    step: the boundary moves only every `step` turns.
    larger_than: only outputs with more characters than this are shortened.
    duplicates: an output is also replaced, and `keep` doesn't count, if a later turn has called the
        same tool with the same arguments: the marker names the newer one.
    """

    keep: int = 3
    step: int = 8
    larger_than: int = 600
    duplicates: bool = True

    def __post_init__(self) -> None:
        for name, least in (("keep", 1), ("step", 1), ("larger_than", 0)):
            check_int(name, getattr(self, name), least)

    def boundary(self, turns: int, keep: int) -> int:
        """The number of old turns among `turns` turns, when at least `keep` are not old."""
        return max(0, turns - keep) // self.step * self.step


class Shortened(NamedTuple):
    """Items with markers, and what was done: for each index with a marker, a sentence."""

    items: list[Item]
    why: Mapping[int, str]


class _Places(NamedTuple):
    """Up to which index outputs are old, and up to which a newer one may replace them."""

    old: int
    repeated: int


def shortened(
    items: Sequence[Item], positions: Sequence[int], how: Shorten, turns_before: int = 0
) -> Shortened:
    """`items` with markers in place of old outputs.

    positions: of the record of each item.
    turns_before: how many turns of the conversation come before them.
    """
    places = _places(items, how, turns_before)
    markers = dict(_old(items, positions, how, places.old))
    if how.duplicates:
        markers |= dict(_repeated(items, positions, places.repeated))
    if not markers:
        return Shortened([*items], {})
    made = [
        {**item, "output": markers[place].text} if place in markers else item
        for place, item in enumerate(items)
    ]
    return Shortened(made, {place: marker.why for place, marker in markers.items()})


def _places(items: Sequence[Item], how: Shorten, turns_before: int) -> _Places:
    starts = turn_starts(items)
    turns = turns_before + len(starts)

    def index(old_turns: int) -> int:
        here = old_turns - turns_before
        if here <= 0:
            return starts[0] if starts and here == 0 else 0
        return starts[here] if here < len(starts) else len(items)

    return _Places(index(how.boundary(turns, how.keep)), index(how.boundary(turns, 1)))


class _Marker(NamedTuple):
    text: str
    why: str


def _old(
    items: Sequence[Item], positions: Sequence[int], how: Shorten, end: int
) -> Iterator[tuple[int, _Marker]]:
    why = f"An old output of a tool with more than {how.larger_than} characters (shorten)."
    for place, item in enumerate(items[:end]):
        size = _size(item)
        if kind_of(item) in _TEXTUAL and size > how.larger_than:
            yield place, _Marker(_fetchable(positions[place], size), why)


def _repeated(
    items: Sequence[Item], positions: Sequence[int], end: int
) -> Iterator[tuple[int, _Marker]]:
    """Outputs whose call was made again later with the same arguments, and was answered."""
    newest: dict[tuple[str, str, str], int] = {}
    outputs = pairs_in([*items]).outputs
    for call in sorted(outputs, reverse=True):
        output, item = outputs[call], items[call]
        if output is None or output >= end or kind_of(items[output]) not in _TEXTUAL:
            continue
        asked = _asked(item)
        if asked in newest:
            text = _superseded(positions[output], positions[newest[asked]])
            if len(text) < _size(items[output]):
                yield output, _Marker(text, _SUPERSEDED)
        else:
            newest[asked] = output


def _asked(call: Item) -> tuple[str, str, str]:
    """What a call asks: the same for two calls with the same arguments."""
    given = call.get("arguments", call.get("input"))
    return kind_of(call), str(call.get("name")), given if isinstance(given, str) else _text(given)


def _fetchable(position: int, size: int) -> str:
    return f"[An output of {size} characters is not shown. {_how(position)}]"


def _superseded(position: int, newer: int) -> str:
    return f"[The same call was made again: see record {newer}. {_how(position)}]"


def _how(position: int) -> str:
    return f'To see it, call {RECALL} with id "{position}".'


def _size(item: Item) -> int:
    """The characters of an output; 0 if the item is none."""
    if not is_output(item):
        return 0
    output = item.get("output")
    return len(output) if isinstance(output, str) else len(_text(output))


def _text(value: object) -> str:
    try:
        return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    except RecursionError:  # it is nested too deeply to be shortened
        return ""
