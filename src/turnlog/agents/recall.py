"""How a run reads a session, any session, also one whose `get_items` knows no `limit`."""

from __future__ import annotations

import inspect

from turnlog.agents.config import RunConfig
from turnlog.agents.merge import Merged, merge
from turnlog.items import Item
from turnlog.session import Session
from turnlog.settings import SessionSettings

__all__ = ["recall"]


async def recall(session: Session | None, new: list[Item], config: RunConfig) -> Merged:
    """Read the session and merge it with the new input.

    A retry is recognised: input that the session already ends with, unanswered, is shown
    once and not stored again. Once answered, the same words are a new question.
    """
    if session is None:
        return Merged(new, new)
    past = _Past(session, _limit(session, config))
    await past.read()
    callback = config.session_input_callback
    unanswered = new
    if not await past.ends_with(new):
        merged = await merge(past.items, new, callback)
        # A callback may have stored the new input in words of its own.
        if not await past.ends_with(merged.fresh):
            return merged
        unanswered = merged.fresh
    merged = await merge(await past.before(unanswered), new, callback)
    return Merged(merged.shown, [])


class _Past:
    """The newest `limit` items of a session, all if that is None."""

    def __init__(self, session: Session, limit: int | None) -> None:
        self._session = session
        self._limit = limit
        self.items: list[Item] = []

    async def read(self) -> None:
        """Find `items`."""
        self.items = await _newest(self._session, self._limit)

    async def ends_with(self, items: list[Item]) -> bool:
        """Whether the session does, even if the limit shows less of it."""
        if not items:
            return False
        return (await self._at_least(len(items)))[-len(items) :] == items

    async def before(self, items: list[Item]) -> list[Item]:
        """The past without `items`, which it ends with; again as many as the limit allows."""
        count = len(items)
        return (await self._at_least((self._limit or 0) + count))[:-count]

    async def _at_least(self, count: int) -> list[Item]:
        """The newest `count` items or more, as far as there are so many."""
        if self._limit is None or self._limit < 0 or count <= self._limit:
            return self.items
        return await _newest(self._session, count)


def _limit(session: Session, config: RunConfig) -> int | None:
    own = getattr(session, "session_settings", None)
    return SessionSettings.of(own).resolve(config.session_settings).limit


async def _newest(session: Session, limit: int | None) -> list[Item]:
    if limit is None:
        return await session.get_items()
    if _takes_limit(session):
        return await session.get_items(limit=limit)
    items = await session.get_items()
    return items if limit < 0 else items[max(0, len(items) - limit) :]


def _takes_limit(session: Session) -> bool:
    parameters = inspect.signature(session.get_items).parameters.values()
    return any(p.name == "limit" or p.kind is p.VAR_KEYWORD for p in parameters)
