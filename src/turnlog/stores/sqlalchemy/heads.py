"""Heads: queries for the heads of one session, and for pages of the list of sessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, TextClause, text

from turnlog.records import Log
from turnlog.store import END, Cursor, Head, prefix_end
from turnlog.stores.clock import micros, seconds
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.tables import MAIN_HEADS, OTHER_HEADS, filled

__all__ = ["Heads"]

_NOTE = "(SELECT h.note FROM {heads} h WHERE h.session_id = s.session_id AND h.name = 'main')"
_MAIN = MAIN_HEADS + " WHERE s.session_id = :session"
_ALL = _MAIN + " UNION ALL " + OTHER_HEADS + " WHERE h.session_id = :session AND h.name <> 'main'"
_PAGE = MAIN_HEADS + " WHERE {conditions} ORDER BY {changed} DESC, {id} DESC LIMIT :limit"


class Heads:
    """Reads heads.

    names: the tables, and the expressions `created`, `changed` and `id`, by which sessions
        `s` are dated, sorted and compared.
    time_of: makes microseconds since the epoch what `changed` is compared with.
    """

    def __init__(
        self, names: Mapping[str, str], layout: Layout, time_of: Callable[[int], object]
    ) -> None:
        self._layout = layout
        self._time_of = time_of
        # Our own tables may not be there yet.
        self._names = {**names, "note": filled(_NOTE, names) if layout.version else "NULL"}
        self._heads = text(filled(_ALL if layout.version else _MAIN, self._names))
        self._pages = {
            (has_end, has_start): self._page(has_end=has_end, has_start=has_start)
            for has_end in (True, False)
            for has_start in (True, False)
        }

    def logs(self, db: Connection, session: str) -> list[Head]:
        """The heads of all logs of `session`, by name."""
        if not self._layout.is_readable:
            return []
        rows = db.execute(self._heads, {"session": session}).all()
        return sorted(map(_head, rows), key=lambda head: head.log.name)

    def sessions(self, db: Connection, prefix: str, after: Cursor | None, limit: int) -> list[Head]:
        """One page of the list of sessions."""
        if not self._layout.is_readable:
            return []
        end = prefix_end(prefix)
        values: dict[str, object] = {"prefix": prefix, "end": end, "limit": min(limit, END)}
        if after is not None:
            values |= {"at": self._time_of(micros(after.updated_at)), "session": after.session}
        statement = self._pages[end is not None, after is not None]
        return list(map(_head, db.execute(statement, values).all()))

    def _page(self, *, has_end: bool, has_start: bool) -> TextClause:
        conditions = ["{id} >= :prefix"]
        if has_end:
            conditions.append("{id} < :end")
        if has_start:
            conditions.append("({changed} < :at OR ({changed} = :at AND {id} < :session))")
        chosen = filled(" AND ".join(conditions), self._names)
        return text(filled(_PAGE, self._names, {"conditions": chosen}))


def _head(row: Sequence[Any]) -> Head:
    session, name, last, length, created, changed, note = row
    return Head(
        Log(session, name), int(last), length, seconds(created), seconds(changed), note or b""
    )
