"""What a run is shown of a session, any session, also one whose `get_items` knows no `limit`."""

from __future__ import annotations

import inspect
from typing import NamedTuple

from turnlog.conversation import Session
from turnlog.items import Item
from turnlog.merge import Merged, SessionInputCallback, merge
from turnlog.repair import from_a_user_message, repair
from turnlog.settings import SessionSettings, SettingsLike

__all__ = ["recall"]

# How many items are looked at first to find where the last turn begins; most are shorter.
_TURN = 32


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
    past = _Past(session, settings)
    await past.read()
    turn = await past.unanswered(new)
    if turn is None:
        merged = await merge(past.shown(past.items), new, callback)
        # A callback may have stored the new input in words of its own.
        turn = await past.unanswered(merged.fresh)
        if turn is None:
            return merged
    merged = await merge(past.shown(turn.before), new, callback)
    return Merged(repair([*merged.shown, *turn.since]), [])


class _Unanswered(NamedTuple):
    """A turn that was begun and has no answer."""

    #: The past before it, as much as the settings allow.
    before: list[Item]
    #: What came after its input: calls, outputs.
    since: list[Item]


class _Past:
    """What the settings show of a session."""

    def __init__(self, session: Session, settings: SettingsLike) -> None:
        own = getattr(session, "session_settings", None)
        self._session = session
        self._limit = SessionSettings.of(own).resolve(settings).limit
        self.items: list[Item] = []

    async def read(self) -> None:
        """Find `items`."""
        self.items = await _newest(self._session, self._limit)

    def shown(self, items: list[Item]) -> list[Item]:
        """`items` as a model accepts them; a window begins at a user's message."""
        whole = self._limit is None or self._limit < 0
        return repair(items if whole else from_a_user_message(items))

    async def unanswered(self, items: list[Item]) -> _Unanswered | None:
        """The session's last turn, if it begins with `items` and has no answer."""
        if not items or (self.items and _is_answer(self.items[-1])):
            return None
        tail = await self._last_turn(len(items))
        start = _start_of_unanswered(tail, items)
        if start is None:
            return None
        since = tail[start + len(items) :]
        return _Unanswered(await self._before(len(tail) - start), since)

    async def _last_turn(self, at_least: int) -> list[Item]:
        """The newest items, so many that the whole last turn is among them."""
        if self._limit is None or self._limit < 0:
            return self.items
        count = at_least + _TURN
        tail = await _newest(self._session, count)
        while len(tail) == count and not any(map(_is_question, tail[:-at_least])):
            count *= 4
            tail = await _newest(self._session, count)
        return tail

    async def _before(self, count: int) -> list[Item]:
        """The past without its newest `count` items, as much as the limit allows."""
        if self._limit is None or self._limit < 0:
            return self.items[:-count]
        return (await _newest(self._session, self._limit + count))[:-count]


def _start_of_unanswered(items: list[Item], new: list[Item]) -> int | None:
    """Where `new` begins in `items`, if nothing but unanswered work has followed it."""
    if items and _is_answer(items[-1]):
        return None
    for start in range(len(items) - len(new), -1, -1):
        end = start + len(new)
        if end < len(items) and _is_question(items[end]):
            return None
        if items[start:end] == new:
            return start
    return None


def _is_question(item: Item) -> bool:
    return item.get("role") == "user"


def _is_answer(item: Item) -> bool:
    return item.get("role") == "assistant"


async def _newest(session: Session, limit: int | None) -> list[Item]:
    if limit is None:
        return await session.get_items()
    if _takes_limit(session):
        return await session.get_items(limit=limit)
    return _last(await session.get_items(), limit)


def _last(items: list[Item], limit: int) -> list[Item]:
    return items if limit < 0 else items[max(0, len(items) - limit) :]


def _takes_limit(session: Session) -> bool:
    parameters = inspect.signature(session.get_items).parameters.values()
    return any(p.name == "limit" or p.kind is p.VAR_KEYWORD for p in parameters)
