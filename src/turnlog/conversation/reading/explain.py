"""Explanation of a view: what a model is shown of each stored record, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from turnlog.conversation.reading.log import Page
from turnlog.conversation.reading.tail import PagedTail
from turnlog.conversation.reading.view import View
from turnlog.conversation.settings import SessionSettings
from turnlog.items.json import Item
from turnlog.items.reasons import Did, left_out, steps
from turnlog.items.repair import Interrupted, repaired

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


async def explained(
    tail: PagedTail, settings: SessionSettings, interrupted: Interrupted
) -> Explanation:
    """The view of `tail` that `settings` ask for, with its reasons. It reads the whole log."""
    view = await View.of(tail, settings)
    window = await view.window()
    older = await _older(tail)
    items = [*older.items, *tail.items]
    positions = [*older.positions, *tail.page.positions]
    start = len(items) - len(window)
    interrupted = view.interrupted_calls(interrupted)
    result = repaired(window, interrupted)
    why = {
        **dict(zip(positions, view.bounds.why_outside(items, start), strict=False)),
        **{position: _problem(tail, position) for position in _unreadable(older)},
        **{position: _problem(tail, position) for position in _unreadable(tail.page)},
    }
    positions = positions[start:]
    for place, reason in left_out(window, result, interrupted).items():
        why[positions[place]] = reason
    shown = [
        Shown(item, None if place is None else positions[place], did, reason)
        for item, place, did, reason in steps(window, result)
    ]
    return Explanation(shown, [LeftOut(position, why[position]) for position in sorted(why)])


async def _older(tail: PagedTail) -> Page:
    """The records before those that the window needed."""
    if tail.is_whole:
        return Page([], (), is_whole=True)
    return await tail.reader.page(tail.page.oldest)


def _problem(tail: PagedTail, position: int) -> str:
    """Why the record at `position` can't be shown."""
    problem = tail.reader.problems.get(position)
    return "It can't be decoded." if problem is None else f"It can't be opened: {problem}."


def _unreadable(page: Page) -> Iterator[int]:
    pairs = zip(page.decoded, page.records, strict=True)
    return (position for item, position in pairs if item is None)
