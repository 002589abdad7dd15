"""A history as a model accepts it. The log stays as it was.

A run that broke off leaves calls without output; a window cuts outputs from their calls; a
second writer may come between the two. Providers refuse such histories. What is shown is
mended, by these rules:

- The outputs of a group of parallel calls follow right behind the group, each once, and
  before what anybody else said meanwhile.
- Of a call that was made again before its output came, the newest is shown.
- A call whose output never came gets one that says it was interrupted, or is left out.
- An output without its call is left out, and so is reasoning without what it led to.
- A request for approval that was not answered is left out once the user has gone on; an
  answer without its request is left out.
- Calls that providers run themselves carry their outcome in them, and stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from turnlog.items import Item
from turnlog.kinds import (
    CALL_OF,
    OUTPUT_OF,
    is_answer,
    is_call,
    is_note,
    is_output,
    is_question,
    kind_of,
    name_of,
)
from turnlog.turns import turn_starts

__all__ = ["INTERRUPTED", "Interrupted", "repair"]

#: What becomes of a call whose output never came.
Interrupted: TypeAlias = Literal["mark", "leave out"]

#: The output of such a call, as the model is shown it.
INTERRUPTED = "This call was interrupted: what came of it is not known."

#: What a history without needs no repair.
_DELICATE = {*OUTPUT_OF, *CALL_OF, "reasoning"}

#: Those whose output may be any text; of the others, none can be made up.
_TEXTUAL = {"function_call", "custom_tool_call"}


def repair(items: Iterable[Item], *, interrupted: Interrupted = "mark") -> list[Item]:
    """The same conversation, in a form that providers accept.

    Pure and idempotent: the items are neither copied nor changed, what was repaired once
    stays as it is. Takes time in proportion to their number.
    """
    given = list(items)
    if _DELICATE.isdisjoint(map(kind_of, given)):
        return given
    return _without_lone_reasoning(_paired(given, _answers(given), interrupted))


def _answers(items: list[Item]) -> dict[int, int | None]:
    """For the place of each call, the place of its output; None if it never came.

    Names are used again: some providers count calls anew in each turn. So an output belongs
    to the newest call of its name; and of calls that were made again before an output came,
    the newest stands for all.
    """
    answers: dict[int, int | None] = {}
    waiting: dict[str, int] = {}
    for place, item in enumerate(items):
        if not is_call(item) and not is_output(item):
            continue
        name = name_of(item)
        if name is None:
            continue  # nothing can belong to it
        if is_call(item):
            answers.pop(waiting.get(name, -1), None)
            waiting[name] = place
            answers[place] = None
        elif name in waiting and items[waiting[name]]["type"] == CALL_OF[kind_of(item)]:
            answers[waiting.pop(name)] = place
    return answers


def _paired(
    items: list[Item], answers: dict[int, int | None], interrupted: Interrupted
) -> list[Item]:
    """Each call once, with its output behind its group."""
    shown: list[Item] = []
    group: list[int] = []
    ended = max(turn_starts(items), default=-1)
    for place, item in enumerate(items):
        if is_output(item) or is_question(item) or is_note(item):
            if group:
                shown += _outputs_of(group, answers, items)
            group = []
        if is_call(item):
            if place not in answers:
                continue  # it was made again, or has no name
            if answers[place] is None and not _kept(item, interrupted, pending=place > ended):
                continue
            group.append(place)
        if not is_output(item):
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
    return {"call_id": call["call_id"], "output": INTERRUPTED, "type": OUTPUT_OF[call["type"]]}


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
