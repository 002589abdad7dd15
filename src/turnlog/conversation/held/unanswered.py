"""Unanswered questions: the end of a conversation that an earlier attempt has left behind."""

from __future__ import annotations

from collections.abc import Sequence

from turnlog.conversation.reading.tail import Tail
from turnlog.conversation.reading.view import View
from turnlog.conversation.settings import SessionSettings
from turnlog.items.json import Item
from turnlog.items.kinds import ends_turn, is_note, is_question

__all__ = ["found_in", "shown_before", "unanswered"]

# Most turns have fewer items than this.
_ITEMS_IN_A_TURN = 32


async def unanswered(tail: Tail) -> list[Item]:
    """The newest items of `tail` that wait for an answer, from a user's message on.

    Several such messages that wait are all among them. Turns that were marked as over are not.
    [] if nothing waits.
    """
    await tail.until(lambda items: _start(items)[1], _ITEMS_IN_A_TURN)
    start, _ = _start(tail.items)
    for place in range(start, len(tail.items)):
        if is_question(tail.items[place]) and not await tail.is_over(place):
            return tail.items[place:]
    return []


def found_in(waiting: Sequence[Item], given: list[Item], tail: Tail) -> bool:
    """Whether `given` stands in a row in `waiting`, the newest items of `tail`."""
    ends = range(len(given), len(waiting) + 1)
    return any(tail.are_equal([*waiting[end - len(given) : end]], given) for end in ends)


async def shown_before(
    tail: Tail,
    waiting: Sequence[Item],
    settings: SessionSettings,
    most: int | None,
    *,
    asked: range = range(0),
) -> list[Item]:
    """The items that are shown of `tail` without `waiting`, its newest; the notes among them stay.

    settings: their windows are kept, if there are any.
    most: at most so many items; None means all, or what the windows show.
    asked: the positions of a question that is left out too, with the work behind it, up to the
        next question.
    """
    notes = [item for item in waiting if is_note(item)]
    if most is None and settings.has_windows:
        view = await View.of(tail, settings, compaction="keep")
        window = _without_turn(await view.window(without=len(waiting)), tail, asked)
        return view.repaired([*window, *notes])
    if most is None:
        await tail.all()
    else:
        await tail.until(lambda items: len(items) >= most + len(waiting), most + len(waiting))
    past = tail.items[: len(tail.items) - len(waiting)]
    kept = [*_without_turn(past, tail, asked), *notes]
    front = tail.front if most is None or len(tail.front) + len(kept) <= most else []
    return [*front, *(kept if most is None else kept[max(0, len(kept) - most) :])]


def _without_turn(items: list[Item], tail: Tail, asked: range) -> list[Item]:
    """`items` of `tail` without the question that begins `asked`, and the work behind it."""
    positions = tail.positions
    if not asked or positions is None or asked[0] not in positions:
        return items
    first = list(positions).index(asked[0])
    later = (
        place
        for place in range(first + 1, len(tail.items))
        if is_question(tail.items[place]) or positions[place] not in asked
    )
    turn = tail.items[first : next(later, len(tail.items))]
    gone = {id(item) for item in turn if not is_note(item)}
    return [item for item in items if id(item) not in gone]


def _start(items: Sequence[Item]) -> tuple[int, bool]:
    """The index at which unanswered turns begin, and whether an answer stands before them."""
    start = end = len(items)
    while True:
        is_answered, question = _turn_before(items, end)
        if is_answered or question is None:
            return start, is_answered
        start = end = question


def _turn_before(items: Sequence[Item], end: int) -> tuple[bool, int | None]:
    """Whether the turn that ends before index `end` is answered; and where it begins."""
    telling = None
    for place in range(end - 1, -1, -1):
        if telling is None:
            telling = ends_turn(items[place])
            if telling:
                return True, None
        if is_question(items[place]):
            return False, place
    return False, None
