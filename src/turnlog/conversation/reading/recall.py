"""What is shown of a session, any session, also one whose `get_items` knows no `limit`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, Self

from turnlog.conversation.protocol import Session
from turnlog.conversation.reading.tail import Tail, tail_of
from turnlog.conversation.settings import SessionSettings, SettingsLike
from turnlog.items.json import Item, equal
from turnlog.items.kinds import is_question
from turnlog.items.merge import Merged, SessionInputCallback, merge
from turnlog.items.repair import Interrupted, repair
from turnlog.items.tokens import TokenCounter, estimated_tokens, token_counter
from turnlog.items.turns import is_answered, turn_starts
from turnlog.items.window import Window

__all__ = ["Past", "recall"]

# How many items a turn has at most, mostly.
_SOME = 32


async def recall(
    session: Session,
    new: list[Item],
    *,
    settings: SettingsLike = None,
    callback: SessionInputCallback | None = None,
) -> Merged:
    """Read the session and merge it with the new input.

    The past is shown as `repair` mends it; what is stored stays as it is.

    A retry is recognised: input that the session's last turn begins with, and that has no
    answer yet, is not stored again, and what came of it so far is shown behind it. Once
    answered, the same words are a new question.

    settings: override the session's own.
    callback: merges history and new input; without one, the new input follows the history.
    """
    own = SessionSettings.of(getattr(session, "session_settings", None))
    past = await Past.of(tail_of(session), own.resolve(settings))
    merged = await _merged(past, new, callback)
    await past.mark()
    return merged


async def _merged(past: Past, new: list[Item], callback: SessionInputCallback | None) -> Merged:
    await past.window()  # reads what is needed, in one go
    begun = await past.begun(new)
    merged = await _shown_before(begun, past, new, callback)
    if not equal(merged.fresh, new):
        # A callback may have stored the new input in words of its own, and notes in front of
        # it. If so, it was not yet given the history without these.
        reworded = await past.begun(merged.fresh)
        if reworded is not None and (begun is None or reworded.sizes != begun.sizes):
            begun = reworded
            merged = await _shown_before(begun, past, new, callback)
    if begun is None:
        return Merged(past.mended(merged.shown), merged.fresh)
    return Merged(past.mended([*merged.shown, *begun.since]), [])


async def _shown_before(
    begun: Begun | None, past: Past, new: list[Item], callback: SessionInputCallback | None
) -> Merged:
    """The history without the turn that was begun, if one was, merged with the new input."""
    history = await past.window(without=0 if begun is None else begun.length)
    return await merge(history, new, past.mended, callback)


class Begun(NamedTuple):
    """A turn that was begun and has no answer."""

    #: How many items it has.
    length: int
    #: What came after its input: calls, outputs.
    since: list[Item]

    @property
    def sizes(self) -> tuple[int, int]:
        """How many items it has, and how many of them came after its input."""
        return self.length, len(self.since)


class Past:
    """A conversation through a window, read as far as that takes."""

    def __init__(self, tail: Tail, window: Window) -> None:
        self._tail = tail
        self._window = window
        self._first: tuple[int, int] | None = None  # the first turn shown: its place, its number

    @classmethod
    async def of(cls, tail: Tail, settings: SessionSettings) -> Self:
        """The past that `settings` show."""
        count = settings.token_counter
        if settings.max_tokens is not None and count is None:
            count = await asyncio.to_thread(token_counter)  # it may have to load a table
        return cls(tail, settings.window(_once(count or estimated_tokens)))

    async def shown(self, interrupted: Interrupted = "mark") -> list[Item]:
        """What a model may be shown of it."""
        return self.mended(await self.window(), interrupted)

    def mended(self, items: list[Item], interrupted: Interrupted = "mark") -> list[Item]:
        """`items` in a form that providers accept.

        Within a turn, calls without output are not interrupted but under way.
        """
        return repair(items, interrupted="leave out" if self._tail.is_nested else interrupted)

    async def window(self, *, without: int = 0) -> list[Item]:
        """What is in the window, as it was stored; without the newest `without` items."""
        tail, window = self._tail, self._window
        if not window.is_bounded:
            await tail.all()
            return _before(tail.items, without)
        guess = window.guess + without
        await tail.until(lambda items: window.is_full(_before(items, without)), guess)
        past = _before(tail.items, without)
        if window.step is None or not window.fitting(past):
            return past[window.start(past) :]
        turns_before = await tail.turns_before()
        past = _before(tail.items, without)
        start = window.start(past, turns_before)
        self._first = start, turns_before + len(turn_starts(past[:start]))
        return past[start:]

    async def mark(self) -> None:
        """Write down which turn the window begins at, so that the next look is quicker."""
        if self._first is not None:
            await self._tail.mark(*self._first)

    async def begun(self, items: list[Item]) -> Begun | None:
        """The last turn, if it begins with `items` and has no answer."""
        tail = self._tail
        if not items or tail.is_nested or is_answered(tail.items):
            return None
        # So much that the place where they may begin is among it.
        await tail.until(
            lambda seen: any(map(is_question, seen[len(items) - 1 :])), len(items) + _SOME
        )
        start = _start_of_unanswered(tail.items, items)
        if start is None or await tail.is_over(start):
            return None
        return Begun(len(tail.items) - start, tail.items[start + len(items) :])


def _once(count: TokenCounter) -> TokenCounter:
    """`count`, asked once for each item."""
    counted: dict[int, tuple[Item, int]] = {}

    def remembered(item: Item) -> int:
        # The item is kept as well, so that its id stays its own.
        if id(item) not in counted:
            counted[id(item)] = item, count(item)
        return counted[id(item)][1]

    return remembered


def _before(items: Sequence[Item], count: int) -> list[Item]:
    """`items` without the newest `count`."""
    return list(items[: max(0, len(items) - count)])


def _start_of_unanswered(items: list[Item], new: list[Item]) -> int | None:
    """Where `new` begins in `items`, if nothing but unanswered work has followed it."""
    if is_answered(items):
        return None
    for start in range(len(items) - len(new), -1, -1):
        end = start + len(new)
        if end < len(items) and is_question(items[end]):
            return None
        if equal(items[start:end], new):
            return start
    return None
