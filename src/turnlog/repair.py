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
from turnlog.turns import is_answer, turn_starts

__all__ = ["INTERRUPTED", "Interrupted", "repair"]

#: What becomes of a call whose output never came.
Interrupted: TypeAlias = Literal["mark", "leave out"]

#: The output of such a call, as the model is shown it.
INTERRUPTED = "This call was interrupted: what came of it is not known."

#: The outputs that answer calls, by the type of the call.
_OUTPUT_OF = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
    "computer_call": "computer_call_output",
    "local_shell_call": "local_shell_call_output",
    "shell_call": "shell_call_output",
    "apply_patch_call": "apply_patch_call_output",
    "mcp_approval_request": "mcp_approval_response",
}
_CALL_OF = {output: call for call, output in _OUTPUT_OF.items()}

#: Who speaks beside the model: their messages stand behind the outputs of calls before them.
_OTHERS = ("user", "system", "developer")

#: What a history without needs no repair.
_DELICATE = {*_OUTPUT_OF, *_CALL_OF, "reasoning"}

#: Those whose output may be any text; of the others, none can be made up.
_TEXTUAL = {"function_call", "custom_tool_call"}


def repair(items: Iterable[Item], *, interrupted: Interrupted = "mark") -> list[Item]:
    """The same conversation, in a form that providers accept.

    Pure and idempotent: the items are neither copied nor changed, what was repaired once
    stays as it is. Takes time in proportion to their number.
    """
    given = list(items)
    if _DELICATE.isdisjoint(map(_kind, given)):
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
        if not _is_call(item) and not _is_output(item):
            continue
        name = _name(item)
        if name is None:
            continue  # nothing can belong to it
        if _is_call(item):
            answers.pop(waiting.get(name, -1), None)
            waiting[name] = place
            answers[place] = None
        elif name in waiting and items[waiting[name]]["type"] == _CALL_OF[_kind(item)]:
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
        if _is_output(item) or item.get("role") in _OTHERS:
            if group:
                shown += _outputs_of(group, answers, items)
            group = []
        if _is_call(item):
            if place not in answers:
                continue  # it was made again, or has no name
            if answers[place] is None and not _kept(item, interrupted, pending=place > ended):
                continue
            group.append(place)
        if not _is_output(item):
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
    return {"call_id": call["call_id"], "output": INTERRUPTED, "type": _OUTPUT_OF[call["type"]]}


def _without_lone_reasoning(items: list[Item]) -> list[Item]:
    """Reasoning is shown only before what it led to, which is the model's too."""
    shown: list[Item] = []
    led_somewhere = False
    for item in reversed(items):
        if _kind(item) == "reasoning":
            if led_somewhere:
                shown.append(item)
            continue
        led_somewhere = is_answer(item) or _is_made_by_model(item)
        shown.append(item)
    return shown[::-1]


def _is_made_by_model(item: Item) -> bool:
    return _is_call(item) or _kind(item).endswith("_call")


def _is_call(item: Item) -> bool:
    return _kind(item) in _OUTPUT_OF


def _is_output(item: Item) -> bool:
    return _kind(item) in _CALL_OF


def _kind(item: Item) -> str:
    kind = item.get("type")
    return kind if isinstance(kind, str) else "message"


def _name(item: Item) -> str | None:
    """What names a call: its output says the same."""
    match item["type"]:
        case "mcp_approval_request":
            name = item.get("id")
        case "mcp_approval_response":
            name = item.get("approval_request_id")
        case _:
            name = item.get("call_id", item.get("id"))
    return name if isinstance(name, str) else None
