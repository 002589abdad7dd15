"""Reasons of a repair: what was done with each item of a history, and why, in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

from turnlog.items.json import Item, equal, is_writable, writable
from turnlog.items.kinds import CALL_OF, is_call, is_output, kind_of, name_of
from turnlog.items.repair import Interrupted, Repaired
from turnlog.items.sound import SILENCE

__all__ = ["Did", "Step", "left_out", "steps"]

#: What was done with an item that is shown.
Did: TypeAlias = Literal["kept", "moved", "changed", "made up"]


class Step(NamedTuple):
    """One item of a repaired history, and what was done with it."""

    item: Item
    #: Its index in the given history; None for an output that was made up.
    place: int | None
    did: Did
    #: One sentence; "" if it was kept.
    why: str


_MADE_UP = "The output of this call was never stored; this one says so."
_MOVED = "Providers want an output right behind the calls of its group."
_NOT_SENDABLE = (
    "It holds half a surrogate pair, a number that is not finite, or more than 250 levels of "
    "nesting, which providers refuse."
)
_CHANGED = {
    "arguments": "Its arguments are not a JSON object.",
    "call_id": "Its call id is missing, or an earlier call has the same.",
    "content": "Parts of a message without text are left out; the others have a type and a text.",
    "id": "Its call id is missing, or an earlier call has the same.",
    "input": "Its input is not text.",
    "name": "The name of the tool is missing, too long, or has characters that providers refuse.",
    "output": "Its output is neither text nor a list of parts.",
}
_FOLLOWS_ITS_CALL = "It has the id with which its call is shown."
_WITHOUT_TEXT = "A user's message without text is shown with a text that says so."


def steps(given: Sequence[Item], shown: Repaired) -> list[Step]:
    """The items that are shown of `given`, each with what was done with it."""
    moved = _moved(shown.places)
    return [
        _step(given, item, place, is_moved=place in moved)
        for item, place in zip(shown.items, shown.places, strict=True)
    ]


def _step(given: Sequence[Item], item: Item, place: int | None, *, is_moved: bool) -> Step:
    if place is None:
        return Step(item, None, "made up", _MADE_UP)
    why = [_MOVED] if is_moved else []
    if not equal([item], [given[place]]):
        why = [*_changes(given[place], item), *why]
        return Step(item, place, "changed", " ".join(why))
    return Step(item, place, "moved" if is_moved else "kept", "".join(why))


def _moved(places: Sequence[int | None]) -> set[int]:
    """The places of items that are shown before one that was stored before them."""
    moved: set[int] = set()
    earliest: int | None = None
    for place in reversed(places):
        if place is None:
            continue
        if earliest is not None and place > earliest:
            moved.add(place)
        earliest = place if earliest is None else min(earliest, place)
    return moved


def _changes(given: Item, shown: Item) -> list[str]:
    """The reasons for which an item is shown in another form."""
    why = [] if is_writable(given) else [_NOT_SENDABLE]
    sendable = given if is_writable(given) else writable(given)
    changed = [name for name in shown if shown[name] != sendable.get(name)]
    return why + [_change(given, name, shown[name]) for name in changed]


def _change(given: Item, field: str, shown: object) -> str:
    """The reason for which one field is shown with another value."""
    if field == "content" and shown == SILENCE:
        return _WITHOUT_TEXT
    if field in ("call_id", "id") and is_output(given):
        return _FOLLOWS_ITS_CALL
    return _CHANGED[field]


def left_out(given: Sequence[Item], shown: Repaired, interrupted: Interrupted) -> dict[int, str]:
    """The reasons why items of `given` were left out, by their index."""
    places = {place for place in shown.places if place is not None}
    kept = {place: index for index, place in enumerate(shown.kept)}
    calls: set[tuple[str, str]] = set()
    reasons: dict[int, str] = {}
    for place, item in enumerate(given):
        if is_call(item):
            calls.add((kind_of(item), name_of(item) or ""))
        if place in places:
            continue
        if place not in kept:
            reasons[place] = "Providers refuse a message without text."
        elif is_output(item):
            reasons[place] = _why_no_output(item, calls)
        elif is_call(item):
            is_repeated = kept[place] in shown.pairs.repeated
            reasons[place] = _why_no_call(item, interrupted, is_repeated=is_repeated)
        else:
            reasons[place] = "Reasoning without the message or call that it led to."
    return reasons


def _why_no_output(output: Item, calls: set[tuple[str, str]]) -> str:
    is_known = (CALL_OF[kind_of(output)], name_of(output) or "") in calls
    if kind_of(output) == "mcp_approval_response":
        return (
            "The request for approval has another answer."
            if is_known
            else "An answer without its request for approval."
        )
    return (
        "The newest calls of this id have their outputs already."
        if is_known
        else "An output without its call."
    )


def _why_no_call(call: Item, interrupted: Interrupted, *, is_repeated: bool) -> str:
    if is_repeated:
        return "Another attempt of the same call is shown."
    if kind_of(call) == "mcp_approval_request":
        return "The user went on without an answer to this request for approval."
    if interrupted == "leave out":
        return "A call that has no output yet."
    return "A call without output, of a kind for which none can be made up."
