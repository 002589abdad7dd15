"""Heads: what is known of logs without reading them, of one session and page by page."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from sqlalchemy import Connection, TextClause, text

from turnlog.records import Log
from turnlog.store import Cursor, Head, prefix_end
from turnlog.stores.sqlalchemy import moments
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.sqlalchemy.places import END, Place

__all__ = ["Heads"]


class Heads:
    """The statements that find heads."""

    layout: Layout
    main: Place
    other: Place

    #: What makes text compare by code points, where that isn't the column's own way.
    binary = ""

    @property
    def changed(self) -> str:
        """An expression for the time of `updated_at` that sorts, also where it was left out."""
        return "coalesce(s.updated_at, s.created_at)"

    @property
    def created(self) -> str:
        """The expression for the time of `created_at`."""
        return "s.created_at"

    @abstractmethod
    def time_of(self, moment: float) -> object:
        """A moment as it is compared with `updated_at`."""

    def logs(self, db: Connection, session: str) -> list[Head]:
        """The heads of all logs of `session`, by name."""
        if not self.layout.is_readable:
            return []
        rows = db.execute(self._heads, {"session": session}).all()
        return sorted(map(_head, rows), key=lambda head: head.log.name)

    def sessions(self, db: Connection, prefix: str, after: Cursor | None, limit: int) -> list[Head]:
        """One page of the list of sessions."""
        if not self.layout.is_readable:
            return []
        end = prefix_end(prefix)
        values = {"prefix": prefix, "end": end or "", "limit": min(limit, END)}
        if after is not None:
            values |= {"at": self.time_of(after.updated_at), "session": after.session}
        statement = self._pages[end is None, after is None]
        return list(map(_head, db.execute(statement, values).all()))

    @cached_property
    def _main_heads(self) -> str:
        messages, heads = self.main.records, self.other.row
        note = "NULL"
        if self.layout.version:
            same = "h.session_id = s.session_id AND h.name = 'main'"
            note = f"(SELECT h.note FROM {heads} h WHERE {same})"
        return (
            "SELECT s.session_id, 'main' AS name, "
            f"(SELECT max(id) FROM {messages} m WHERE m.session_id = s.session_id) AS last, "
            f"(SELECT count(*) FROM {messages} m WHERE m.session_id = s.session_id) AS length, "
            f"{self.created} AS created_at, {self.changed} AS changed, "
            f"{note} AS note FROM {self.main.row} s"
        )

    @cached_property
    def _heads(self) -> TextClause:
        heads, records = self.other.row, self.other.records
        same = "r.session_id = h.session_id AND r.name = h.name"
        main = f"{self._main_heads} WHERE s.session_id = :session"
        if not self.layout.version:
            return text(main)
        return text(
            f"{main} UNION ALL "
            f"SELECT h.session_id, h.name, "
            f"(SELECT max(id) FROM {records} r WHERE {same}), "
            f"(SELECT count(*) FROM {records} r WHERE {same}), "
            f"h.created_at, h.updated_at, h.note "
            f"FROM {heads} h WHERE h.session_id = :session AND h.name <> 'main'"
        )

    @cached_property
    def _pages(self) -> dict[tuple[bool, bool], TextClause]:
        return {
            (endless, first): self._page(endless=endless, first=first)
            for endless in (True, False)
            for first in (True, False)
        }

    def _page(self, *, endless: bool, first: bool) -> TextClause:
        by = f"s.session_id{self.binary}"
        conditions = [f"{by} >= :prefix"]
        if not endless:
            conditions.append(f"{by} < :end")
        if not first:
            conditions.append(
                f"({self.changed} < :at OR ({self.changed} = :at AND {by} < :session))"
            )
        return text(
            f"{self._main_heads} WHERE {' AND '.join(conditions)} "
            f"ORDER BY {self.changed} DESC, {by} DESC LIMIT :limit"
        )


def _head(row: Sequence[Any]) -> Head:
    session, name, last, length, created, changed, note = row
    seconds = moments.seconds
    return Head(
        Log(session, name), int(last or 0), length, seconds(created), seconds(changed), note or b""
    )
