"""What is shown of a session, any session, also one whose `get_items` knows no `limit`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple, Self

from turnlog.conversation import Session
from turnlog.items import Item
from turnlog.merge import Merged, SessionInputCallback, merge
from turnlog.repair import repair
from turnlog.settings import SessionSettings, SettingsLike
from turnlog.tail import Tail, tail_of
from turnlog.tokens import estimated_tokens, token_counter
from turnlog.turns import is_answer, is_question, turn_starts
from turnlog.windows import Window

__all__ = ["Past", "recall"]

# How many items a turn has, at a guess.
_TURN = 4


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
    history = await past.shown()
    begun = await past.begun(new)
    if begun is None:
        merged = await merge(history, new, callback)
        # A callback may have stored the new input in words of its own.
        begun = await past.begun(merged.fresh)
        if begun is None:
            await past.mark()
            return merged
    merged = await merge(await past.shown(without=begun.length), new, callback)
    await past.mark()
    return Merged(repair([*merged.shown, *begun.since]), [])


class Begun(NamedTuple):
    """A turn that was begun and has no answer."""

    #: How many items it has.
    length: int
    #: What came after its input: calls, outputs.
    since: list[Item]


class Past:
    """A conversation through a window, read as far as that takes."""

    def __init__(self, tail: Tail, window: Window) -> None:
        self._tail = tail
        self._window = window
        self._first: tuple[int, int] | None = None  # the first turn shown: its place, its number

    @classmethod
    async def of(cls, tail: Tail, settings: SessionSettings) -> Self:
        """The past that `settings` show."""
        count = settings.token_counter or estimated_tokens
        if settings.max_tokens is not None and settings.token_counter is None:
            count = await asyncio.to_thread(token_counter)  # it may have to load a table
        return cls(tail, settings.window(count))

    async def shown(self, *, without: int = 0) -> list[Item]:
        """What a model may be shown of it, without its newest `without` items."""
        tail, window = self._tail, self._window
        if not window.is_bounded:
            await tail.grow(None)
            return repair(_before(tail.items, without))
        guess = self._guess(without)
        await tail.until(lambda items: window.is_full(_before(items, without)), guess)
        turns_before = 0 if window.step is None else await tail.turns_before()
        past = _before(tail.items, without)
        start = window.start(past, turns_before)
        if window.step is not None and start < len(past):
            self._first = len(tail.items) - start, turns_before + len(turn_starts(past[:start]))
        return repair(past[start:])

    async def begun(self, items: list[Item]) -> Begun | None:
        """The last turn, if it begins with `items` and has no answer."""
        if not items or (self._tail.items and is_answer(self._tail.items[-1])):
            return None
        # So much that the whole last turn is among it.
        before = len(items)
        await self._tail.until(
            lambda seen: any(map(is_question, _before(seen, before))), before + 32
        )
        start = _start_of_unanswered(self._tail.items, items)
        if start is None:
            return None
        length = len(self._tail.items) - start
        return Begun(length, self._tail.items[start + len(items) :])

    async def mark(self) -> None:
        """Write down which turn the window begins at, so that the next look is quicker."""
        if self._first is not None:
            newer, turn = self._first
            await self._tail.mark(len(self._tail.items) - newer, turn)

    def _guess(self, without: int) -> int | None:
        """How many items fill the window, probably."""
        window = self._window
        if window.max_items is not None:
            return window.max_items + without
        return window.max_turns and window.max_turns * _TURN + without


def _before(items: Sequence[Item], count: int) -> list[Item]:
    """`items` without the newest `count`."""
    return list(items[: max(0, len(items) - count)])


def _start_of_unanswered(items: list[Item], new: list[Item]) -> int | None:
    """Where `new` begins in `items`, if nothing but unanswered work has followed it."""
    if items and is_answer(items[-1]):
        return None
    for start in range(len(items) - len(new), -1, -1):
        end = start + len(new)
        if end < len(items) and is_question(items[end]):
            return None
        if items[start:end] == new:
            return start
    return None
