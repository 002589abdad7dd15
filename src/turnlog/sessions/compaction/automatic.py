"""Automatic compaction: how much of what is stored a run's compaction may replace.

Only what the model has just seen, and whole groups of calls and outputs. All else is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from turnlog.items.json import Item
from turnlog.sessions.compaction.matching import (
    Exchange,
    Part,
    is_closed,
    is_user_message,
    seen_of,
)
from turnlog.sessions.compaction.modes import Mode

__all__ = ["Stored", "exchange_of", "is_automatic", "replaceable"]


class Stored(NamedTuple):
    """What a session has stored, as far as it was read.

    items: the newest ones, as they are sent to the model.
    is_complete: whether these are all.
    most_kept: how many of them can be kept where only the last ones are replaced; 0 if all must be.
    """

    items: list[Item]
    is_complete: bool
    most_kept: int


def is_automatic(run: object) -> bool:
    """Whether a Runner asks by itself, for the run whose context is `run`."""
    return bool(getattr(run, "_session_compaction_is_automatic", False))


def exchange_of(run: Any) -> Exchange:
    """What the model was shown in the run whose context is `run`, and has answered."""
    return Exchange(*getattr(run, "_session_compaction_model_exchange", ((), None)))


def replaceable(
    stored: Stored, exchange: Exchange, asked: Mode, *, ignore_ids: bool
) -> tuple[Part, bool] | str:
    """Which items may be replaced, and whether others are kept; else why none may be.

    asked: the mode as it was configured.
    """
    part = seen_of(stored.items, exchange, ignore_ids=ignore_ids)
    is_partial = bool(part.start) or not stored.is_complete
    if not part.items or (is_partial and not stored.most_kept):
        return "not all that is stored is what the model was shown last"
    if is_partial:
        if asked == "previous_response_id":
            return "the chain of responses also stands for items that would stay"
        begin = _first_question(part.items)
        if begin is None:
            return "what the model was shown last holds no user's message to begin at"
        part = Part(part.start + begin, part.items[begin:])
    if part.start > max(0, stored.most_kept):
        return f"more than {stored.most_kept} items before it would have to be kept"
    if not is_closed(part.items):
        return "a call or an approval is still open"
    return part, is_partial


def _first_question(items: Sequence[Item]) -> int | None:
    return next((at for at, item in enumerate(items) if is_user_message(item)), None)
