"""Heads: queries for the heads of one session, and for pages of the list of sessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, text

from turnlog.records import Log
from turnlog.store import Cursor, Head
from turnlog.stores.clock import micros, seconds
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.listing import Listing, Page
from turnlog.stores.tables import (
    COUNTED,
    LENGTH,
    MAIN_HEADS,
    OLD_NOTE,
    OLD_OTHER_HEADS,
    OTHER_HEADS,
    filled,
)

__all__ = ["Heads"]

_MAIN = MAIN_HEADS + " WHERE s.session_id = :session"
_ALL = _MAIN + " UNION ALL {others} WHERE session_id = :session AND name <> 'main'"


class Heads:
    """Reads heads, also from tables that the SDK made, and from those of older versions.

    names: the tables, and the expressions `created`, `changed` and `id`, by which sessions
        `s` are dated, sorted and compared.
    time_of: makes microseconds since the epoch what `changed` is compared with.
    """

    def __init__(
        self, names: Mapping[str, str], layout: Layout, time_of: Callable[[int], object]
    ) -> None:
        self._layout = layout
        self._time_of = time_of
        names = {**names, **_stored(names, layout)}
        self._heads = text(filled(_ALL if "others" in names else _MAIN, names))
        self._listing = Listing(names, layout)

    def logs(self, db: Connection, session: str) -> list[Head]:
        """The heads of all logs of `session`, by name."""
        if not self._layout.is_readable:
            return []
        rows = db.execute(self._heads, {"session": session}).all()
        return sorted(map(_head, rows), key=lambda head: head.log.name)

    def sessions(
        self, db: Connection, prefix: str, after: Cursor | None, limit: int, oldest: bool
    ) -> list[Head]:
        """One page of the list of sessions."""
        if not self._layout.is_readable:
            return []
        start = after and (self._time_of(micros(after.updated_at)), after.session)
        page = Page(prefix, start, limit, oldest)
        return list(map(_head, self._listing.rows(db, page)))


def _stored(names: Mapping[str, str], layout: Layout) -> dict[str, str]:
    """How this version of the tables holds what a head says: length, note, and other logs."""
    counted = filled(COUNTED, names)
    if layout.is_current:
        return {
            "length": filled(LENGTH, names, {"counted": counted}),
            "note": filled("s.{main_note}", names),
            "others": filled(OTHER_HEADS, names),
        }
    if layout.version:
        note, others = filled(OLD_NOTE, names), filled(OLD_OTHER_HEADS, names)
        return {"length": counted, "note": note, "others": others}
    return {"length": counted, "note": "NULL"}


def _head(row: Sequence[Any]) -> Head:
    session, name, last, length, created, changed, note = row
    return Head(
        Log(session, name), int(last), int(length), seconds(created), seconds(changed), note or b""
    )
