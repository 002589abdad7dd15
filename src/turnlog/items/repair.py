"""A history as a model accepts it. The log stays as it was.

A run that broke off leaves calls without output; a window cuts outputs from their calls; a
second writer may come between the two. Providers refuse such histories. What is shown is
mended, by these rules:

- The outputs of a group of parallel calls follow right behind the group, each once, and
  before what anybody else said meanwhile.
- Calls of one id in a group differ by their place: the first output is the first one's.
- Of a call that was made again in its turn, word for word, before its output came, one is shown.
- Each call has an id of its own, and its output the same. Ids that are missing or were used
  before are made anew, from the id and how often it was used: at each look the same.
- A call whose output never came gets one that says it was interrupted, or is left out.
- An output without its call is left out, and so is reasoning without what it led to.
- A request for approval that was not answered is left out once the user has gone on; an
  answer without its request is left out.
- Calls that providers run themselves carry their outcome in them, and stay as they are.
- What a single item may hold and a request may not: see `turnlog.items.sound`.
"""

from __future__ import annotations

import hashlib
import json
from bisect import bisect
from collections import deque
from collections.abc import Iterable
from itertools import count
from typing import Literal, TypeAlias

from turnlog.items.json import Item
from turnlog.items.kinds import (
    CALL_OF,
    OUTPUT_OF,
    is_answer,
    is_call,
    is_note,
    is_question,
    kind_of,
    name_of,
)
from turnlog.items.sound import sound
from turnlog.items.turns import turn_starts

__all__ = ["INTERRUPTED", "Interrupted", "repair"]

#: What becomes of a call whose output never came.
Interrupted: TypeAlias = Literal["mark", "leave out"]

#: The output of such a call, as the model is shown it.
INTERRUPTED = "This call was interrupted: what came of it is not known."

#: What a history without needs no repair.
_DELICATE = {*OUTPUT_OF, *CALL_OF, "reasoning"}

#: What a provider knows by the id that it gave.
_BY_PROVIDER = {"mcp_approval_request", "mcp_approval_response"}

#: Those whose output may be any text; of the others, none can be made up.
_TEXTUAL = {"function_call", "custom_tool_call"}


def repair(items: Iterable[Item], *, interrupted: Interrupted = "mark") -> list[Item]:
    """The same conversation, in a form that providers accept.

    Pure and idempotent: items are never changed, what needs no change is shown as the object
    that it is, and what was repaired once stays as it is. Takes time in proportion to their
    number. The one place in which this is settled: views, runs and conversions all call it.
    """
    given = sound(items)
    if _DELICATE.isdisjoint(map(kind_of, given)) or _is_paired(given):
        return given
    paired = _without_lone_reasoning(_paired(given, _answers(given), interrupted))
    return paired if _is_paired(paired) else _with_own_ids(paired)


def _is_paired(items: list[Item]) -> bool:
    """Whether `items` are certainly in order: one quick look at what nearly every history is."""
    used: set[str] = set()
    waiting: dict[str, str] = {}  # the calls of the newest group, and the outputs they wait for
    answering = thought = False
    for item in items:
        kind = kind_of(item)
        if kind in CALL_OF:
            if thought or waiting.pop(_id_of(item), None) != kind:
                return False
            answering = bool(waiting)
            continue
        if answering:
            return False  # something stands between the outputs of a group
        if kind in OUTPUT_OF:
            name = _id_of(item)
            if name == "" or name in used or kind in _BY_PROVIDER:
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


def _answers(items: list[Item]) -> dict[int, int | None]:
    """For the place of each call that is shown, the place of its output; None if it never came.

    Ids are used again: some providers count calls anew in each response, or give none. So an
    output belongs to the newest group that has calls of its id and kind, and there to the
    first that still waits.
    """
    answers: dict[int, int | None] = {}
    waiting: dict[tuple[str, str], deque[int]] = {}
    group: set[tuple[str, str]] = set()
    said = {_name(item) for item in items if kind_of(item) in CALL_OF}
    for place, item in enumerate(items):
        kind = kind_of(item)
        if kind in OUTPUT_OF:
            name = kind, _name_called(item, said)
            if name not in group:
                group.add(name)
                waiting[name] = deque()
            waiting[name].append(place)
            answers[place] = None
        elif kind in CALL_OF:
            group.clear()
            queue = waiting.get((CALL_OF[kind], _name(item)))
            if queue:
                answers[queue.popleft()] = place
        elif is_question(item) or is_note(item):
            group.clear()
    again = _made_again(items, answers) if None in answers.values() else ()
    return {call: output for call, output in answers.items() if call not in again}


def _name(item: Item) -> str:
    """What names a call and its output; all that have no id share the name ""."""
    return name_of(item) or ""


def _name_called(call: Item, said: set[str]) -> str:
    """What outputs name `call` by. One without a `call_id` may have an `id` that none says."""
    name = _name(call)
    return name if "call_id" in call or name in said or not _has_call_id(call) else ""


def _made_again(items: list[Item], answers: dict[int, int | None]) -> set[int]:
    """The calls without output for which the same call of the same turn stands."""
    waiting = {_name(items[place]) for place, output in answers.items() if output is None}
    starts = turn_starts(items)
    same: dict[tuple[int, str], list[int]] = {}
    for place in answers:
        if _name(items[place]) in waiting:
            key = bisect(starts, place), _words(items[place])
            same.setdefault(key, []).append(place)
    again: set[int] = set()
    for places in same.values():
        lost = [place for place in places if answers[place] is None]
        again.update(lost if len(lost) < len(places) else lost[:-1])
    return again


def _words(call: Item) -> str:
    """All that a call says, but for how far it has come and how it is stored."""
    said = {key: value for key, value in call.items() if key not in ("id", "status")}
    return json.dumps([_name(call), said], sort_keys=True, default=str)


def _paired(
    items: list[Item], answers: dict[int, int | None], interrupted: Interrupted
) -> list[Item]:
    """Each call once, with its output behind its group."""
    shown: list[Item] = []
    group: list[int] = []
    ended = max(turn_starts(items), default=-1)
    for place, item in enumerate(items):
        kind = kind_of(item)
        is_output = kind in CALL_OF
        if group and (is_output or is_question(item) or is_note(item)):
            shown += _outputs_of(group, answers, items)
            group = []
        if kind in OUTPUT_OF:
            if place not in answers:
                continue  # it was made again
            if answers[place] is None and not _kept(item, interrupted, pending=place > ended):
                continue
            group.append(place)
        if not is_output:
            shown.append(item)
    return shown + _outputs_of(group, answers, items)


def _outputs_of(group: list[int], answers: dict[int, int | None], items: list[Item]) -> list[Item]:
    """The outputs of a group of calls: those there are as they came, then those made up."""
    there = sorted(place for call in group if (place := answers[call]) is not None)
    made = [_interrupted(items[call]) for call in group if answers[call] is None]
    return [items[place] for place in there] + [output for output in made if output]


def _kept(call: Item, interrupted: Interrupted, *, pending: bool) -> bool:
    """Whether a call without output is shown."""
    if call["type"] == "mcp_approval_request":
        return pending  # it is waiting for an answer
    return interrupted == "mark" and call["type"] in _TEXTUAL


def _interrupted(call: Item) -> Item | None:
    if call["type"] not in _TEXTUAL:
        return None
    named = {"call_id": _name(call)}  # a missing one is made later, for both
    return {**named, "output": INTERRUPTED, "type": OUTPUT_OF[call["type"]]}


def _without_lone_reasoning(items: list[Item]) -> list[Item]:
    """Reasoning is shown only before what it led to, which is the model's too."""
    shown: list[Item] = []
    led_somewhere = False
    for item in reversed(items):
        if kind_of(item) == "reasoning":
            if led_somewhere:
                shown.append(item)
            continue
        led_somewhere = is_answer(item) or is_call(item)
        shown.append(item)
    return shown[::-1]


def _with_own_ids(items: list[Item]) -> list[Item]:
    """`items`, which are paired, with an id of its own for each call and its output."""
    own: dict[int, str] = {}
    taken: set[str] = set()
    for call, output in _answers(items).items():
        if _has_call_id(items[call]):
            own[call] = _own_id(_name(items[call]), taken)
            taken.add(own[call])
            if output is not None:
                own[output] = own[call]
    return [_named(item, own[place]) if place in own else item for place, item in enumerate(items)]


def _has_call_id(item: Item) -> bool:
    kind = kind_of(item)
    return (kind in OUTPUT_OF or kind in CALL_OF) and kind not in _BY_PROVIDER


def _id_of(item: Item) -> str:
    """The id that ties a call and its output together; "" if there is none."""
    name = item.get(_id_field(item))
    return name if isinstance(name, str) else ""


def _id_field(item: Item) -> str:
    if "call_id" not in item and kind_of(item) == "local_shell_call_output":
        return "id"
    return "call_id"


def _own_id(name: str, taken: set[str]) -> str:
    """`name` if it is one and free, else one made from it and from how often it was used."""
    if name and name not in taken:
        return name
    made = (_made_id(name, time) for time in count(1))
    return next(each for each in made if each not in taken)


def _made_id(name: str, time: int) -> str:
    digest = hashlib.sha256(f"{time} {name}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"call_{digest[:24]}"


def _named(item: Item, name: str) -> Item:
    field = _id_field(item)
    return item if item.get(field) == name else {**item, field: name}
