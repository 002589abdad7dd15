"""Calls and their outputs: which output belongs to which call, and the ids that they share."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect
from collections import deque
from itertools import count
from typing import NamedTuple

from turnlog.items.json import Item
from turnlog.items.kinds import (
    CALL_OF,
    OUTPUT_OF,
    is_answer,
    is_note,
    is_question,
    kind_of,
    name_of,
)
from turnlog.items.turns import turn_starts

__all__ = ["BY_PROVIDER", "Pairs", "call_id_of", "is_paired", "pairs_in", "unused_id", "with_id"]

#: Calls and outputs that the provider knows by the id that it gave.
BY_PROVIDER = {"mcp_approval_request", "mcp_approval_response"}


class Pairs(NamedTuple):
    """The calls of a history and their outputs, by their index in it."""

    #: The output of each call; None if it never came.
    outputs: dict[int, int | None]
    #: Calls without output that were made again in their turn; they are not in `outputs`.
    repeated: set[int]


def is_paired(items: list[Item]) -> bool:
    """Whether calls, outputs and reasoning are certainly in order, as in nearly every history.

    One quick pass. False means that a closer look is needed.
    """
    used: set[str] = set()
    waiting: dict[str, str] = {}  # the calls of the newest group, and the outputs they wait for
    answering = thought = False
    for item in items:
        kind = kind_of(item)
        if kind in CALL_OF:
            if thought or waiting.pop(call_id_of(item), None) != kind:
                return False
            answering = bool(waiting)
            continue
        if answering:
            return False  # something stands between the outputs of a group
        if kind in OUTPUT_OF:
            name = call_id_of(item)
            if name == "" or name in used or kind in BY_PROVIDER:
                return False
            used.add(name)
            waiting[name] = OUTPUT_OF[kind]
            thought = False
        elif kind == "reasoning":
            thought = True
        elif is_answer(item):
            thought = False
        elif thought or waiting:
            return False
    return not waiting and not thought


def pairs_in(items: list[Item]) -> Pairs:
    """The output of each call in `items`.

    Ids are used again: some providers count calls anew in each response, or give none. So an
    output belongs to the newest group that has calls of its id and kind, and there to the
    first that still waits.
    """
    outputs: dict[int, int | None] = {}
    waiting: dict[tuple[str, str], deque[int]] = {}
    group: set[tuple[str, str]] = set()
    for place, item in enumerate(items):
        kind = kind_of(item)
        if kind in OUTPUT_OF:
            name = kind, name_of(item) or ""
            if name not in group:
                group.add(name)
                waiting[name] = deque()
            waiting[name].append(place)
            outputs[place] = None
        elif kind in CALL_OF:
            group.clear()
            queue = waiting.get((CALL_OF[kind], name_of(item) or ""))
            if queue:
                outputs[queue.popleft()] = place
        elif is_question(item) or is_note(item):
            group.clear()
    repeated = _repeated(items, outputs) if None in outputs.values() else set()
    return Pairs({c: output for c, output in outputs.items() if c not in repeated}, repeated)


def _repeated(items: list[Item], outputs: dict[int, int | None]) -> set[int]:
    """The calls without output for which the same call of the same turn is shown."""
    unanswered = {name_of(items[place]) or "" for place, out in outputs.items() if out is None}
    starts = turn_starts(items)
    same: dict[tuple[int, str], list[int]] = {}
    for place in outputs:
        if (name_of(items[place]) or "") in unanswered:
            key = bisect(starts, place), _words(items[place])
            same.setdefault(key, []).append(place)
    repeated: set[int] = set()
    for places in same.values():
        lost = [place for place in places if outputs[place] is None]
        repeated.update(lost if len(lost) < len(places) else lost[:-1])
    return repeated


def _words(call: Item) -> str:
    """The whole content of a call, without its status and the id under which it is stored."""
    said = {key: value for key, value in call.items() if key not in ("id", "status")}
    return json.dumps([name_of(call) or "", said], sort_keys=True, default=str)


def call_id_of(item: Item) -> str:
    """The id in the field that a provider reads; "" if there is none."""
    name = item.get(_id_field(item))
    return name if isinstance(name, str) else ""


def with_id(item: Item, name: str) -> Item:
    """A call or an output with the id `name`; the same object if that is its id."""
    field = _id_field(item)
    return item if item.get(field) == name else {**item, field: name}


def _id_field(item: Item) -> str:
    if "call_id" not in item and kind_of(item) == "local_shell_call_output":
        return "id"
    return "call_id"


def unused_id(name: str, used: set[str]) -> str:
    """`name` if it is not used yet, else an id made from it and from how often it was used."""
    if name and name not in used:
        return name
    made = (_made_id(name, time) for time in count(1))
    return next(each for each in made if each not in used)


def _made_id(name: str, time: int) -> str:
    digest = hashlib.sha256(f"{time} {name}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"call_{digest[:24]}"
