"""Explanation of a view: what a model is shown of each stored record, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from turnlog.conversation.reading.changing import BEFORE, Parts
from turnlog.conversation.reading.compacted import CompactedTail
from turnlog.conversation.reading.log import Page
from turnlog.conversation.reading.view import View
from turnlog.conversation.settings import SessionSettings
from turnlog.items.json import Item
from turnlog.items.reasons import Did, Step, left_out, steps
from turnlog.items.repair import Interrupted, repaired
from turnlog.items.window import Window

__all__ = ["Explanation", "LeftOut", "Shown", "explained"]


@dataclass(frozen=True)
class Shown:
    """One item that a model is shown.

    item: as it is shown.
    position: of the record that it comes from; None if it was made up.
    did: what was done with it: "kept", "moved", "changed" or "made up".
    why: in plain sentences; "" if it was kept.
    """

    item: Item
    position: int | None
    did: Did
    why: str


@dataclass(frozen=True)
class LeftOut:
    """A stored record that a model is not shown, and why, in a plain sentence."""

    position: int
    why: str


@dataclass(frozen=True)
class Explanation:
    """A view with its reasons. Each stored position is in exactly one of the two lists.

    shown: in the order in which a model is shown it; the items are those of the view.
    left_out: by position.
    """

    shown: list[Shown]
    left_out: list[LeftOut]


_SUMMARY = "It stands for older records, which a summary covers."
_COVERED = "A summary covers it, which is shown instead."
_NO_ROOM = "A summary covers it, which does not fit into the window beside a turn."


async def explained(
    tail: CompactedTail, settings: SessionSettings, interrupted: Interrupted
) -> Explanation:
    """The view of `tail` that `settings` ask for, with its reasons. It reads the whole log."""
    view = await View.of(tail, settings)
    parts = await view.parts()
    front, window = parts.front, parts.past
    seen = len(tail.items)
    await tail.all()
    covered = await _covered(tail)
    every = list(tail.page.positions)
    older, positions = every[: len(every) - seen], every[len(every) - seen :]
    interrupted = view.interrupted_calls(interrupted)
    result = repaired([*front, *window], interrupted)
    bounds = view.bounds.beside([*front, *parts.changed.lead])
    why = {
        **dict.fromkeys(covered.positions, _why_covered(parts, tail)),
        **{positions[place]: reason for place, reason in parts.changed.out.items()},
        **dict.fromkeys(older, BEFORE),
        **_outside(parts, bounds, tail.items[: len(older)], every),
        **{position: _problem(tail, position) for position in _unreadable(covered)},
        **{position: _problem(tail, position) for position in _unreadable(tail.page)},
    }
    changed = {positions[place]: reason for place, reason in parts.changed.why.items()}
    places: list[int | None] = [
        *[None] * len(front),
        *(positions[place] for place in parts.places),
    ]
    for place, reason in left_out([*front, *window], result, interrupted).items():
        if (position := places[place]) is not None:
            why[position] = reason
    shown = [_shown(step, changed, places, len(front)) for step in steps([*front, *window], result)]
    return Explanation(shown, [LeftOut(position, why[position]) for position in sorted(why)])


def _why_covered(parts: Parts, tail: CompactedTail) -> str:
    if parts.changed.begins:
        return BEFORE
    return _COVERED if parts.front or not tail.front else _NO_ROOM


def _outside(
    parts: Parts, bounds: Window, older: list[Item], positions: Sequence[int]
) -> dict[int, str]:
    """Why records are outside of the window, by position.

    older: items that the window did not need to be read for; `positions` has those of all.
    """
    changed = parts.changed
    if changed.begins:
        past: list[Item] = []
    else:
        past = older
    places = [*range(len(past)), *[len(older) + place for place in changed.places]]
    reasons = bounds.why_outside([*past, *changed.past], len(past) + parts.start)
    return {positions[place]: why for place, why in zip(places, reasons, strict=False)}


def _shown(step: Step, changed: Mapping[int, str], places: list[int | None], size: int) -> Shown:
    """A step as it is told.

    changed: why a record is shown in another form than it is stored, by position.
    places: the position of each item.
    size: how many items the summary has, which come first.
    """
    if step.place is None:
        return Shown(step.item, None, step.did, step.why)
    if step.place < size:
        return Shown(step.item, None, "made up", _SUMMARY)
    position = places[step.place]
    if position is not None and position in changed:
        return Shown(step.item, position, "changed", f"{changed[position]} {step.why}".rstrip())
    return Shown(step.item, position, step.did, step.why)


async def _covered(tail: CompactedTail) -> Page:
    """The records that the summary stands for."""
    if not tail.covers:
        return Page([], (), is_whole=True)
    return await tail.reader.page(tail.covers + 1)


def _problem(tail: CompactedTail, position: int) -> str:
    """Why the record at `position` can't be shown."""
    problem = tail.reader.problems.get(position)
    return "It can't be decoded." if problem is None else f"It can't be opened: {problem}."


def _unreadable(page: Page) -> Iterator[int]:
    pairs = zip(page.decoded, page.records, strict=True)
    return (position for item, position in pairs if item is None)
