"""Listing: pages of the list of sessions, at the same cost for a thousand and a million.

There are two ways to a page. Walking the index of times finds a page at once, unless it has to
pass by very many sessions without the prefix. Looking the prefix up finds its sessions at once,
but then all of them have to be sorted. Which way is shorter depends on how many sessions have the
prefix, and when they were changed. So both are tried with a small budget of rows, and then with
greater ones. That costs little more than the shorter way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, TextClause, text

from turnlog.store import END, prefix_end
from turnlog.stores.sqlalchemy.caching import Cache
from turnlog.stores.sqlalchemy.layout import Layout
from turnlog.stores.tables import MAIN_HEADS, filled

__all__ = ["Listing", "Page"]

#: How many rows either way may take at first, and by how much more at each further try.
_BUDGET = 1000
_GROWTH = 4

_ORDER = "ORDER BY {changed} {direction}, {id} {direction}"
_FOUND_ORDER = "ORDER BY s.changed {direction}, {id} {direction}"
# The ids of a page are found first, so that heads are read for no other session. A LIMIT in a
# subquery is also there to keep databases from taking the other way.
_PAGE = (
    MAIN_HEADS
    + " JOIN ({ids}) p ON p.session_id = s.session_id "
    + _FOUND_ORDER.replace("s.changed", "changed")
)
_WALKED = "SELECT s.session_id FROM {sessions} s WHERE {start} " + _ORDER + " LIMIT :limit"
_WALKED_WITHIN = (
    """
    SELECT s.session_id FROM (
        SELECT s.session_id, {changed} AS changed FROM {sessions} s WHERE {start}
    """
    + _ORDER
    + " LIMIT :budget) s WHERE {within} "
    + _FOUND_ORDER
    + " LIMIT :limit"
)
_LOOKED_UP = (
    """
    SELECT s.session_id FROM (
        SELECT s.session_id, {changed} AS changed FROM {sessions} s WHERE {within} LIMIT {no_limit}
    ) s WHERE {found_start}
    """
    + _FOUND_ORDER
    + " LIMIT :limit"
)
_WALK_END = (
    "SELECT {changed}, s.session_id FROM {sessions} s WHERE {start} "
    + _ORDER
    + " LIMIT 1 OFFSET :budget"
)
_COUNT = """
    SELECT count(*) FROM (
        SELECT s.session_id FROM {sessions} s WHERE {within} ORDER BY {id} LIMIT :budget
    ) s
"""


class Page(NamedTuple):
    """The part of the list that is wanted."""

    prefix: str
    #: The time of change, as it is stored, and the id after which the page begins.
    start: tuple[object, str] | None
    limit: int
    oldest: bool


class Listing:
    """Reads pages of heads.

    names: as for `Heads`, and `length` and `note`. `beyond` is the template of the condition
        for what comes after the time `:at` and the id `:session`.
    """

    def __init__(self, names: Mapping[str, str], layout: Layout) -> None:
        self._names = names
        self._is_indexed = layout.is_current and not layout.has_null_times
        self._statements = Cache[TextClause]()

    def rows(self, db: Connection, page: Page) -> list[Sequence[Any]]:
        """The rows of a page, in the columns of `MAIN_HEADS`."""
        if not self._is_indexed:
            return self._heads(db, page, _LOOKED_UP)
        if not page.prefix:
            return self._heads(db, page, _WALKED)
        return self._within(db, page)

    def _within(self, db: Connection, page: Page) -> list[Sequence[Any]]:
        found: list[Sequence[Any]] = []
        budget = min(max(_BUDGET, page.limit), END - 1)
        while True:
            rest = page._replace(limit=page.limit - len(found))
            count = self._run(db, rest, _COUNT, budget=budget + 1).scalar_one()
            if count <= budget:
                return found + (self._heads(db, rest, _LOOKED_UP) if count else [])
            found += self._heads(db, rest, _WALKED_WITHIN, budget=budget)
            if len(found) == page.limit:
                return found
            end = self._run(db, rest, _WALK_END, budget=budget - 1).one_or_none()
            if end is None:
                return found
            page = page._replace(start=(end[0], end[1]))
            budget = min(budget * _GROWTH, END - 1)

    def _heads(self, db: Connection, page: Page, ids: str, **values: int) -> list[Sequence[Any]]:
        template = _PAGE.replace("{ids}", ids)
        return list(self._run(db, page, template, limit=min(page.limit, END), **values))

    def _run(self, db: Connection, page: Page, template: str, **values: int) -> Any:
        end = prefix_end(page.prefix)
        given: dict[str, object] = {**values, "prefix": page.prefix, "end": end}
        if page.start is not None:
            given |= {"at": page.start[0], "session": page.start[1]}
        shape = (template, bool(page.prefix), end is not None, page.start is not None, page.oldest)
        statement = self._statements.get(shape, lambda: text(self._filled(page, template)))
        return db.execute(statement, given)

    def _filled(self, page: Page, template: str) -> str:
        start, found_start, within = "1 = 1", "1 = 1", "1 = 1"
        names = {**self._names, "after": ">" if page.oldest else "<"}
        if page.start is not None:
            start, found_start = (
                filled(names["beyond"], names, {"time": time})
                for time in (names["changed"], "s.changed")
            )
        if page.prefix:
            end = " AND {id} < :end" if prefix_end(page.prefix) is not None else ""
            within = filled("{id} >= :prefix" + end, names)
        parts = {"start": start, "found_start": found_start, "within": within}
        direction = {"direction": "" if page.oldest else "DESC", "no_limit": END}
        return filled(template, names, parts, direction)
