"""Popping from a wrapped session: an item is looked at first, and removed only if it was opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from turnlog.errors import Unreadable
from turnlog.items.json import Item, TResponseInputItem
from turnlog.layers.encryption.sdk_format import Opened
from turnlog.loops.finishing import finished
from turnlog.records import Log
from turnlog.sessions.encryption.calling import called, checked_pop_of
from turnlog.sessions.encryption.opening import Opener, Read

__all__ = ["Check", "RecordTakenOut", "Refused", "Validate", "popped"]

#: Raises an error if an item must not be removed.
Validate = Callable[[TResponseInputItem], None]


class Refused(Exception):
    """The item that would be removed can't be opened.

    check: which found that out; that of this session, or of one around it.
    """

    def __init__(self, check: Check, opened: Opened) -> None:
        super().__init__(opened.problem)
        self.check = check
        self.opened = opened


class RecordTakenOut(Unreadable):
    """An item that must not be removed was removed in a race, and could not be put back.

    position: always 0, because the wrapped session does not tell positions.
    item: the item as it was stored.
    """

    def __init__(self, session: str, item: Item) -> None:
        problem = (
            "another writer has changed it meanwhile, so that an item was removed that could not "
            "be opened, and it could not be put back: the attribute `item` of this error holds "
            "it, to be added to the wrapped session"
        )
        super().__init__(Log(session), 0, problem)
        self.args = (session, item)
        self.item = item

    def __str__(self) -> str:
        return f"session {self.log.session!r}: {self.problem}"


class Check:
    """Opens the stored item that is to be removed, and raises `Refused` if it can't.

    item: what was opened last; None if that has expired.
    """

    def __init__(self, opener: Opener, ttl: float | None, validate: Validate | None) -> None:
        self._opener = opener
        self._ttl = ttl
        self._validate = validate
        self.item: Item | None = None

    def __call__(self, stored: Item) -> None:
        found = self._opener.open_all([stored], self._ttl)
        if found.problem:
            raise Refused(self, found.opened[0])
        self.item = found.decoded[0]
        if self._validate is not None and self.item is not None:
            self._validate(self.item)


async def popped(session: Any, check: Check, read: Read, wrapper: object) -> Item | None:
    """Remove the newest stored item of `session` and return it, if `check` raises nothing."""
    pop = checked_pop_of(session)
    if pop is not None:
        checked: Item | None = await called(pop, check, wrapper=wrapper)
        return checked
    looked_at = await read(1)
    if not looked_at:
        return None
    check(looked_at[-1])
    return await finished(_popped_or_put_back(session, check, wrapper))


async def _popped_or_put_back(session: Any, check: Check, wrapper: object) -> Item | None:
    """Pop an item; put it back if it is another one than was looked at, and `check` refuses it."""
    stored: Item | None = await called(session.pop_item, wrapper=wrapper)
    if not stored:
        return None
    try:
        check(stored)
    except Exception:
        await _put_back(session, stored, wrapper)
        raise
    return stored


async def _put_back(session: Any, stored: Item, wrapper: object) -> None:
    try:
        await called(session.add_items, [stored], wrapper=wrapper)
    except Exception as error:
        raise RecordTakenOut(session.session_id, stored) from error
