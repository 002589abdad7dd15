"""Input of a run: the view of a session merged with the new input; retries are recognised."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

from turnlog.conversation.protocol import Session
from turnlog.conversation.reading.changing import CompactionItems
from turnlog.conversation.reading.tail import Tail, tail_of
from turnlog.conversation.reading.view import View
from turnlog.conversation.settings import SessionSettings, SettingsLike
from turnlog.items.json import Item, equal
from turnlog.items.kinds import is_question
from turnlog.items.merge import Merged, SessionInputCallback, merge
from turnlog.items.turns import is_answered

__all__ = ["run_input"]

# Most turns have fewer items than this.
_ITEMS_IN_A_TURN = 32


#: Takes the settings that a run asks for, and its new input; returns those with which it is shown
#: what it can be shown beside that.
Bounding: TypeAlias = Callable[[SessionSettings, list[Item]], Awaitable[SessionSettings]]


async def run_input(
    session: Session,
    new: list[Item],
    *,
    settings: SettingsLike = None,
    callback: SessionInputCallback | None = None,
    resumes: bool = True,
    reads_compaction: bool | None = None,
    bounding: Bounding | None = None,
    compaction: CompactionItems | None = None,
) -> Merged:
    """Read the session and merge it with the new input.

    The past is shown as `repair` shows it; the records stay as they are.

    A retry is recognised: input with which the session's last turn begins, and that has no
    answer yet, is not stored again, and the calls and outputs that followed it are shown behind
    it. Once answered, the same words are a new question.

    settings: override the session's own.
    callback: merges history and new input; without one, the new input follows the history.
    resumes: whether retries are recognised.
    reads_compaction: whether the model can read a provider's compaction items, where the settings
        don't say.
    bounding: bounds what is shown beside the new input, for a run with compaction. Then a turn that
        is about to begin reads the summaries; without, it relies on what the session knows of
        them, which costs no read, and the commit that begins it checks that.
    compaction: what is done with these items; None: as the model can read them.
    """
    own = SessionSettings.of(getattr(session, "session_settings", None))
    asked = SessionSettings(reads_compaction=reads_compaction).resolve(own.resolve(settings))
    tail = tail_of(session)
    tail.may_guess = bounding is None
    if bounding is not None:
        asked = await bounding(asked, new)
    view = await View.of(tail, asked, compaction=compaction)
    history = await view.window()  # reads what is needed, in one go
    if resumes and not is_answered(tail.items):
        merged = await _resumed(view, new, callback)
    else:
        merged = await merge(history, new, view.repaired, callback)
        merged = Merged(view.repaired(merged.shown), merged.fresh)
    await view.mark()
    return merged


async def _resumed(view: View, new: list[Item], callback: SessionInputCallback | None) -> Merged:
    """The history merged with new input, with which a turn without an answer may have begun."""
    begun = await _begun(view.tail, new)
    merged = await _with_history_before(begun, view, new, callback)
    if not equal(merged.fresh, new):
        # A callback may have stored the new input in other words, and notes in front of it.
        # Then it was not yet given the history without these.
        reworded = await _begun(view.tail, merged.fresh)
        if reworded is not None and (begun is None or reworded.sizes != begun.sizes):
            begun = reworded
            merged = await _with_history_before(begun, view, new, callback)
    if begun is None:
        return Merged(view.repaired(merged.shown), merged.fresh)
    return Merged(view.repaired([*merged.shown, *begun.since]), [])


async def _with_history_before(
    begun: _Begun | None, view: View, new: list[Item], callback: SessionInputCallback | None
) -> Merged:
    """The history before the turn that was begun, if one was, merged with the new input."""
    history = await view.window(without=0 if begun is None else begun.length)
    return await merge(history, new, view.repaired, callback)


class _Begun(NamedTuple):
    """A turn that was begun and has no answer."""

    #: How many items it has.
    length: int
    #: The calls and outputs after its input.
    since: list[Item]

    @property
    def sizes(self) -> tuple[int, int]:
        """The number of its items, and of those that came after its input."""
        return self.length, len(self.since)


async def _begun(tail: Tail, new: list[Item]) -> _Begun | None:
    """The last turn, if it begins with `new` and has no answer."""
    if not new or tail.is_nested or is_answered(tail.items):
        return None
    # Enough that the question with which they may begin is among it.
    await tail.until(
        lambda items: any(map(is_question, items[len(new) - 1 :])), len(new) + _ITEMS_IN_A_TURN
    )
    start = _start_of_unanswered(tail, new)
    if start is None or await tail.is_over(start):
        return None
    return _Begun(len(tail.items) - start, tail.items[start + len(new) :])


def _start_of_unanswered(tail: Tail, new: list[Item]) -> int | None:
    """The index at which `new` begins in `tail`, if only unanswered work has followed it."""
    items = tail.items
    if is_answered(items):
        return None
    for start in range(len(items) - len(new), -1, -1):
        end = start + len(new)
        if end < len(items) and is_question(items[end]):
            return None
        if tail.are_equal(items[start:end], new):
            return start
    return None
