"""Repair: a history as providers accept it. The log stays as it was.

A run that broke off leaves calls without output; a window cuts outputs from their calls; a
second writer may come between the two. Providers refuse such histories. So a model is shown a
repaired one, by these rules:

- The outputs of a group of parallel calls follow right behind the group, each once, and
  before any message that came between.
- Calls of one id in a group differ by their order: the first output is the first one's.
- Of a call that was made again in its turn, word for word, before its output came, one is shown.
- Each call has an id of its own, and its output the same. Ids that are missing or were used
  before are made anew, from the id and how often it was used: each time the same.
- A call whose output never came gets one that says it was interrupted, or is left out.
- An output without its call is left out, and so is reasoning without the message or call that
  it led to.
- A request for approval that was not answered is left out once the user has gone on; an
  answer without its request is left out.
- Calls that providers run themselves contain their result, and stay as they are.
- What a single item may hold and a request may not: see `turnlog.items.sound`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypeAlias

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
from turnlog.items.pairing import BY_PROVIDER, Pairs, is_paired, pairs_in, unused_id, with_id
from turnlog.items.sound import are_plain, each_sound
from turnlog.items.turns import turn_starts

__all__ = ["INTERRUPTED", "Interrupted", "Repaired", "repair", "repaired"]

#: How a call without output is shown: with an output that says so, or not at all.
Interrupted: TypeAlias = Literal["mark", "leave out"]

#: The output that a model is shown for such a call.
INTERRUPTED = "This call was interrupted: its result is not known."

#: Calls whose output may be any text; for the others, none can be made up.
_TEXTUAL = {"function_call", "custom_tool_call"}

_NO_PAIRS = Pairs({}, set())


def repair(items: Iterable[Item], *, interrupted: Interrupted = "mark") -> list[Item]:
    """The same conversation, in a form that providers accept.

    Pure and idempotent: items are never changed, one that needs no change is shown as the same
    object, and a repaired history stays as it is. Takes time in proportion to the number of
    items. The only place where this is decided: views, runs and conversions all call it.
    """
    return repaired(list(items), interrupted).items


class Repaired(NamedTuple):
    """A repaired history, and where its items come from."""

    items: list[Item]
    #: The index of each in the given history; None for an output that was made up.
    places: Sequence[int | None]
    #: The indices of the given items that a request can hold, and the pairs among these.
    kept: Sequence[int]
    pairs: Pairs


def repaired(items: list[Item], interrupted: Interrupted = "mark") -> Repaired:
    """`items` as `repair` shows them; `turnlog.items.reasons` tells from it what was done."""
    if are_plain(items):
        return Repaired(items, range(len(items)), range(len(items)), _NO_PAIRS)
    sound = each_sound(items)
    kept = [place for place, item in enumerate(sound) if item is not None]
    given = [item for item in sound if item is not None]
    if is_paired(given):
        return Repaired(given, kept, kept, _NO_PAIRS)
    pairing = _Pairing(given, interrupted)
    order = pairing.order()
    shown = [pairing.items[place] for place in order]
    places = [kept[place] if place < len(kept) else None for place in order]
    return Repaired(shown, places, kept, pairing.pairs)


class _Pairing:
    """Calls and outputs put in order: items are known by their index in `items`.

    Outputs that are made up are put behind the given items.
    """

    def __init__(self, given: list[Item], interrupted: Interrupted) -> None:
        self.items = [*given]
        self.pairs = pairs_in(given)
        self._outputs = dict(self.pairs.outputs)  # with those that are made up
        self._interrupted = interrupted
        self._last_question = max(turn_starts(given), default=-1)

    def order(self) -> list[int]:
        """The indices of the items to show, in order."""
        order = self._without_lone_reasoning(self._grouped())
        self._give_ids(order)
        return order

    def _grouped(self) -> list[int]:
        """Each call once, with its output behind its group."""
        shown: list[int] = []
        group: list[int] = []
        for place, item in enumerate(tuple(self.items)):
            kind = kind_of(item)
            is_output = kind in CALL_OF
            if group and (is_output or is_question(item) or is_note(item)):
                shown += self._outputs_of(group)
                group = []
            if kind in OUTPUT_OF:
                if not self._is_shown(place, kind):
                    continue
                group.append(place)
            if not is_output:
                shown.append(place)
        return shown + self._outputs_of(group)

    def _is_shown(self, call: int, kind: str) -> bool:
        if call in self.pairs.repeated:
            return False
        if self._outputs[call] is not None:
            return True
        if kind == "mcp_approval_request":
            return call > self._last_question  # it waits for an answer
        return self._interrupted == "mark" and kind in _TEXTUAL

    def _outputs_of(self, group: list[int]) -> list[int]:
        """The outputs of a group of calls: those that were stored, then those made up."""
        stored = sorted(place for call in group if (place := self._outputs[call]) is not None)
        lost = [call for call in group if self._outputs[call] is None]
        return stored + [self._made_up(call) for call in lost if self._is_textual(call)]

    def _is_textual(self, call: int) -> bool:
        return kind_of(self.items[call]) in _TEXTUAL

    def _made_up(self, call: int) -> int:
        """Make up an output for a call; its index."""
        kind = OUTPUT_OF[kind_of(self.items[call])]
        name = name_of(self.items[call]) or ""  # a missing one is made later, for both
        self._outputs[call] = len(self.items)
        self.items.append({"call_id": name, "output": INTERRUPTED, "type": kind})
        return len(self.items) - 1

    def _without_lone_reasoning(self, order: list[int]) -> list[int]:
        """Reasoning is shown only before the message or call of the model that it led to."""
        shown: list[int] = []
        led_somewhere = False
        for place in reversed(order):
            item = self.items[place]
            if kind_of(item) == "reasoning":
                if led_somewhere:
                    shown.append(place)
                continue
            led_somewhere = is_answer(item) or is_call(item)
            shown.append(place)
        return shown[::-1]

    def _give_ids(self, order: list[int]) -> None:
        """Give each call an id of its own, and its output the same."""
        used: set[str] = set()
        for place in order:
            call = self.items[place]
            kind = kind_of(call)
            if kind not in OUTPUT_OF or kind in BY_PROVIDER:
                continue
            name = unused_id(name_of(call) or "", used)
            used.add(name)
            self.items[place] = with_id(call, name)
            output = self._outputs[place]
            if output is not None:
                self.items[output] = with_id(self.items[output], name)
